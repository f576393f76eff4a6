"""The last task of a run: the result, the report, what Prefect shows of them, and the seal."""

import platform
from datetime import datetime
from importlib.metadata import version
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.answer.result import answer
from mapmerge.earlier import measured, to_json
from mapmerge.records import Evaluation
from mapmerge.report.items import look_up
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
    evaluations = [evaluation for done in run.study.rounds for evaluation in done.evaluations]
    found = answer(run.study, surfaces, final)
    result = {
        **found,
        "run_uri": run.uri,
        "run_id": run.folder.run_id,
        **_costs(evaluations),
        "extends": _extends(run),
        "seconds": seconds_at_work(events),
        "failures": [_failure(run, failure) for failure in run.folder.failures()],
        "warnings": [*run.frozen["warnings"], *run.ledger.warnings, *found["warnings"], *_notes(evaluations)],
        "provenance": {**_provenance(run), "started": events[0]["time"], "finished": events[-1]["time"]},
    }
    run.folder.put_json("result", result)
    run.folder.put_json("measured", to_json(measured(run.study.rounds)))
    written = run.folder.get_json("result")
    page = render(written, look_up(run.folder, written))  # as `mapmerge report` will render it, byte for byte
    run.folder.files.replace("report.html", page.encode())
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


def _extends(run: Run) -> dict[str, Any] | None:
    """Say which run this one extends, and how many of its measurements teach it."""
    if run.known is None:
        return None
    return {"run": run.frozen["extends"], "evaluations": len(run.requests(run.known))}


def _failure(run: Run, failure: dict[str, Any]) -> dict[str, Any]:
    details = failure["details"]
    names = [expert.name for expert in run.config.experts]
    return {
        **details,
        "coefficients": dict(zip(names, details["coefficients"], strict=True)),
        "error": failure["error"],
        "attempts": failure["attempts"],
    }


def _notes(evaluations: list[Evaluation]) -> list[str]:
    if all(evaluation.reused for evaluation in evaluations):
        return ["nothing was measured: the ledger already had every evaluation of this study"]
    return []


def seconds_at_work(events: list[dict[str, Any]]) -> float:
    """Add up the time from each start or resumption of a run to the last event before the next one.

    >>> times = [("started", "10:00:00"), ("round", "10:00:20"), ("resumed", "11:00:00"), ("published", "11:00:05")]
    >>> seconds_at_work([{"kind": kind, "time": f"2026-01-01T{time}+00:00"} for kind, time in times])
    25.0
    """
    total, previous = 0.0, None
    for event in events:
        now = datetime.fromisoformat(event["time"])
        if previous is not None and event["kind"] != "resumed":
            total += (now - previous).total_seconds()
        previous = now
    return total


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
