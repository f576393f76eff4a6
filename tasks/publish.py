"""The last task of a run: the result, the report, what Prefect shows of them, and the seal."""

import platform
from datetime import datetime
from importlib.metadata import version
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.answer import answer
from mapmerge.records import Evaluation
from mapmerge.report.page import render
from mapmerge.response import ResponseSurfaces
from mapmerge.study import FinalQuestion
from tasks.artifacts import show
from tasks.progress import Progress, report
from tasks.run import Run


@task(name="publish", cache_policy=NO_CACHE)
def publish(run: Run, final: FinalQuestion) -> str:
    """Write the result and the report, show them in Prefect, and seal the run.

    Returns:
        The URI of the run, now complete.

    Raises:
        FailedRunError: of the front, or of a baseline, nothing could be measured.
    """
    report(Progress("publish"))
    surfaces = ResponseSurfaces.from_json(run.folder.get_json("surfaces"))
    run.folder.append_event("published", {})
    events = run.folder.events()
    began, ended = (datetime.fromisoformat(events[index]["time"]) for index in (0, -1))
    evaluations = [evaluation for done in run.study.rounds for evaluation in done.evaluations]
    result = {
        **answer(run.study, surfaces, final),
        "run_uri": run.uri,
        "run_id": run.folder.run_id,
        **_costs(evaluations),
        "seconds": (ended - began).total_seconds(),
        "failures": [_failure(run, failure) for failure in run.folder.failures()],
        "warnings": [*run.frozen["warnings"], *run.ledger.warnings, *_notes(run, evaluations)],
        "provenance": {**_provenance(run), "started": events[0]["time"], "finished": events[-1]["time"]},
    }
    run.folder.put_json("result", result)
    run.folder.files.replace("report.html", render(result).encode())
    show(result)
    run.folder.seal(run.ledger, [evaluation.key for evaluation in evaluations if evaluation.error is None])
    return run.uri


def _costs(evaluations: list[Evaluation]) -> dict[str, int]:
    """Count what the run paid for, each (candidate, objective) measurement once although rounds may share some."""
    once = {evaluation.key: evaluation for evaluation in evaluations}.values()
    paid = [evaluation for evaluation in once if evaluation.error is None and not evaluation.reused]
    return {
        "evaluations": len(paid),
        "evaluations_reused": sum(evaluation.reused for evaluation in once),
        "evaluations_failed": sum(evaluation.error is not None for evaluation in once),
        "items_forwarded": sum(evaluation.items for evaluation in paid),
    }


def _failure(run: Run, failure: dict[str, Any]) -> dict[str, Any]:
    details = failure["details"]
    names = [expert.name for expert in run.config.experts]
    return {
        **details,
        "coefficients": dict(zip(names, details["coefficients"], strict=True)),
        "error": failure["error"],
        "attempts": failure["attempts"],
    }


def _notes(run: Run, evaluations: list[Evaluation]) -> list[str]:
    """Say in words what a reader should know of this run."""
    notes = []
    if all(evaluation.reused for evaluation in evaluations):
        notes.append("nothing was measured: the ledger already had every evaluation of this study")
    for objective, gate in zip(run.objectives, run.study.gate(run.study.fit()), strict=True):
        if not gate.passed:
            spent = sum(len(done.question.coefficients) for done in run.study.search_rounds)
            notes.append(
                f"the surrogate of {objective.name!r} failed its gate ({'; '.join(gate.reasons)}) and the budget of "
                f"{run.config.evaluations} evaluations is spent: raise budget.evaluations, for example to {2 * spent}"
            )
    return notes


def _provenance(run: Run) -> dict[str, Any]:
    packages = ("mapmerge", "torch", "numpy", "ray", "prefect")
    inputs = run.frozen["inputs"]
    return {
        **{name: version(name) for name in packages},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "architecture": run.config.architecture.model_dump(mode="json"),
        "executor": run.config.compute.executor,
        "base": inputs["base"],
        "experts": inputs["experts"],
        "item_sets": inputs["evaluators"],
    }
