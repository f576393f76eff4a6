"""Measure one round: look up what the ledger has, fan the rest out to the pool, keep every result."""

from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.errors import MapmergeError
from mapmerge.records import Array, Evaluation, Question
from tasks.artifacts import RoundProgress
from tasks.pool import Pool, Work
from tasks.progress import Progress, report
from tasks.run import Run


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """What a round cost: evaluations that the run paid for, found in the ledger, and lost."""

    name: str
    paid: int
    reused: int
    failed: int


def is_transient(task: object, run: object, state: object) -> bool:
    """Say whether trying again can help: a store that stumbled may, a wrong input or a failed run never does."""
    error = getattr(state, "data", None)
    return isinstance(error, OSError) and not isinstance(error, MapmergeError)


@task(name="measure", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=1, retry_condition_fn=is_transient)
def measure_round(run: Run, pool: Pool, question: Question) -> RoundSummary:
    """Measure the candidates of a question on every objective and tell the study.

    Safe to run again: what the ledger has is not measured a second time.

    Raises:
        FailedRunError: more evaluations failed than the study allows.
    """
    candidates = list({row.tobytes(): row for row in question.coefficients}.values())
    evaluations = _measure(run, pool, question, candidates)
    run.study.tell(question, evaluations)
    failed = sum(evaluation.error is not None for evaluation in evaluations)
    reused = sum(evaluation.reused for evaluation in evaluations)
    summary = RoundSummary(question.name, len(evaluations) - failed - reused, reused, failed)
    run.folder.append_event(
        "round", {"name": summary.name, "paid": summary.paid, "reused": summary.reused, "failed": summary.failed}
    )
    volume = run.study.hypervolume() if question.split == "search" else None
    count = len(candidates)
    report(Progress(question.name, count, count, failed, hypervolume=volume, ended=True))
    return summary


def _measure(run: Run, pool: Pool, question: Question, candidates: list[Array]) -> list[Evaluation]:
    names = [objective.name for objective in run.objectives]
    known = run.recall(candidates, question.split)
    work = []
    for row in candidates:
        missing = tuple(name for name in names if (row.tobytes(), name) not in known)
        if missing:
            work.append(Work(row, question.split, missing))
    done, failed = len(candidates) - len(work), 0
    page = RoundProgress(run.config.name, question.name, len(candidates))
    page.update(done)
    report(Progress(question.name, done, len(candidates), in_flight=min(len(work), pool.actors)))
    for finished in pool.run(work):
        for evaluation in run.keep(finished):
            known[evaluation.coefficients.tobytes(), evaluation.objective] = evaluation
            failed += evaluation.error is not None
        done += 1
        page.update(done)
        report(Progress(question.name, done, len(candidates), failed, finished.in_flight))
    return [known[row.tobytes(), name] for row in candidates for name in names]
