"""Measure what a study asks for: look up what the ledger has, fan the rest out to the pool, keep every result."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.errors import FailedRunError, MapmergeError
from mapmerge.records import Evaluation, Question
from tasks.artifacts import RoundProgress
from tasks.asked import Asked
from tasks.log import run_log
from tasks.pool import Pool, Work
from tasks.progress import Progress, report
from tasks.run import Run
from tasks.sharing import Sharing


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
    """Measure what a question asks for and tell the study.

    Safe to run again: what the ledger has is not measured a second time.

    Raises:
        FailedRunError: more evaluations failed than the study allows.
    """
    asked, name = Asked(run, question), run.called(question)
    work, count, failed = asked.work(), asked.candidates, 0
    page = RoundProgress(run.config.name, f"{name}: {count} candidates", count)
    page.update(asked.done)
    report(Progress(name, asked.done, count, in_flight=min(len(work), pool.actors)))
    with closing(Sharing(run, asked.take)) as sharing:
        for finished in pool.run(sharing.hand_out(work)):
            for evaluation in sharing.finished(finished):
                asked.take(evaluation)
                failed += _has_failed(evaluation)
            page.update(asked.done)
            report(Progress(name, asked.done, count, failed, finished.in_flight))
    evaluations = asked.evaluations()
    run.tell(question, evaluations)
    summary = _summary(run, name, evaluations)
    volume = _hypervolume(run) if question.split == "search" else None
    _log(summary, volume)
    report(Progress(name, count, count, summary.failed, hypervolume=volume, ended=True))
    return summary


@task(name="measure", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=1, retry_condition_fn=is_transient)
def measure_stream(run: Run, pool: Pool) -> RoundSummary:
    """Measure whatever a study asks for while earlier questions are still being measured, until it asks no more.

    Each question is told as soon as all its answers are in. Safe to run again: it goes on with the questions that the
    study waits for, and what the ledger has is not measured a second time.

    Raises:
        FailedRunError: more evaluations failed than the study allows.
    """
    stream = _Stream(run)
    with closing(Sharing(run, stream.take)) as sharing:
        for finished in pool.run(sharing.hand_out(stream.work())):
            for evaluation in sharing.finished(finished):
                stream.take(evaluation)
            stream.tell(finished.in_flight)
    return stream.end()


class _Stream:
    """The questions of a study that are out, and the work that is left of them."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._out: list[Asked] = []
        self._measuring: set[str] = set()
        self._told: dict[str, Evaluation] = {}
        self._items = self._failed = self._in_flight = 0
        evaluators = run.frozen["inputs"]["evaluators"]
        self._unit = sum(int(evaluators[objective.name]["search"]["items"]) for objective in run.objectives)
        self._name, self._total = run.config.method, run.config.evaluations
        self._page = RoundProgress(run.config.name, f"{self._name}: {self._total} evaluations", self._total)
        for done in run.study.rounds:  # told in a try before this one
            self._count(done.evaluations)
        self._show()

    def work(self) -> Iterator[Work | None]:
        """Yield what is to be measured; None where the study must hear of what is in flight before it goes on."""
        for question in self._run.study.pending:  # asked in a try before this one
            yield from self._begin(question)
        while True:
            self._tell_complete()  # with what other runs measured meanwhile
            if (asked := self._run.study.ask()) is not None:
                yield from self._begin(asked)
            elif self._out:
                yield None
            else:
                return

    def take(self, evaluation: Evaluation) -> None:
        """Take an answer to whatever question asked for it."""
        self._measuring.discard(evaluation.key)
        self._failed += _has_failed(evaluation)
        for asked in self._out:
            asked.take(evaluation)

    def tell(self, in_flight: int) -> None:
        """Tell the study the questions that are complete by now."""
        self._in_flight = in_flight
        self._tell_complete()

    def end(self) -> RoundSummary:
        """Say what all of it cost."""
        self._page.update(self._total)
        summary = _summary(self._run, self._name, self._told.values())
        volume = _hypervolume(self._run)
        _log(summary, volume)
        report(Progress(self._name, self._spent, self._total, summary.failed, hypervolume=volume, ended=True))
        return summary

    def _begin(self, question: Question) -> list[Work]:
        asked = Asked(self._run, question)
        work = asked.work(besides=self._measuring)
        self._measuring.update(asked.missing)
        self._out.append(asked)
        self._tell_complete()
        return work

    def _tell_complete(self) -> None:
        complete = [asked for asked in self._out if not asked.missing]
        self._out = [asked for asked in self._out if asked.missing]
        for asked in complete:
            evaluations = asked.evaluations()
            self._run.tell(asked.question, evaluations)
            self._count(evaluations)
        self._show()

    def _count(self, evaluations: Iterable[Evaluation]) -> None:
        new = {each.key: each for each in evaluations if each.key not in self._told}
        self._told.update(new)
        self._items += sum(evaluation.items for evaluation in new.values())

    def _show(self) -> None:
        self._page.update(self._spent)
        report(Progress(self._name, self._spent, self._total, self._failed, self._in_flight))

    @property
    def _spent(self) -> int:
        """The share of the budget that is spent, in evaluations of every objective on all its items."""
        return min(self._total, self._items // self._unit)


def _summary(run: Run, name: str, evaluations: Iterable[Evaluation]) -> RoundSummary:
    """Count what a round cost, and let the run remember it."""
    told = list(evaluations)
    failed = sum(evaluation.error is not None for evaluation in told)
    reused = sum(evaluation.reused for evaluation in told)
    summary = RoundSummary(name, len(told) - failed - reused, reused, failed)
    run.folder.append_event(
        "round", {"name": summary.name, "paid": summary.paid, "reused": summary.reused, "failed": summary.failed}
    )
    return summary


def _log(summary: RoundSummary, volume: float | None) -> None:
    """Log what came of a round."""
    reached = "" if volume is None else f"; hypervolume {volume:.4f}"
    run_log().info(f"{summary.name}: {summary.paid} measured, {summary.reused} known, {summary.failed} failed{reached}")


def _has_failed(evaluation: Evaluation) -> bool:
    """Tell whether an evaluation failed, and log why."""
    if evaluation.error is None:
        return False
    candidate = ", ".join(f"{coefficient:.4g}" for coefficient in evaluation.coefficients)
    run_log().warning(
        f"objective {evaluation.objective!r}, {evaluation.split}, candidate [{candidate}]: {evaluation.error}"
    )
    return True


def _hypervolume(run: Run) -> float | None:
    """Return what has been reached, or None as long as no candidate was measured on every objective."""
    try:
        return run.study.hypervolume()
    except FailedRunError:
        return None
