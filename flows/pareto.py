"""The corridor from a study file to a measured front: plain MAP (arXiv 2406.07529, Algorithm 1)."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from tasks.measure import measure_round, measure_stream
from tasks.pool import open_pool
from tasks.prepare import new_run_id, prepare, reopen
from tasks.publish import publish
from tasks.run import Run
from tasks.search import search


def _run_name() -> str:
    parameters: dict[str, Any] = flow_run.parameters
    return str(parameters.get("run_id") or parameters.get("run_uri", "").rstrip("/").rsplit("/", 1)[-1] or "new run")


@flow(name="find-front", flow_run_name=_run_name)
def find_front(
    study: str,
    output: str = "mapmerge-output",
    run_id: str | None = None,
    overrides: list[str] | None = None,
) -> str:
    """Find the Pareto front of a study and publish it.

    Args:
        study: path of the study file.
        output: URI that holds the shared ledger `evaluations/` and `runs/RUN_ID/`.
        run_id: name of the run; by default made from the study's name and the time.
        overrides: values of the study to replace, such as `budget.evaluations=60`.

    Returns:
        The URI of the complete run.

    Raises:
        BadInputError: the study or what it names cannot be used; nothing was measured.
        FailedRunError: too many evaluations failed, or the resources are not there.
    """
    return _corridor(prepare(study, output, run_id or new_run_id(study), overrides or []), "started")


@flow(name="resume-front", flow_run_name=_run_name)
def resume_front(run_uri: str, overrides: list[str] | None = None) -> str:
    """Go on with a run that was interrupted: what the ledger has is not measured again, and the front is the same.

    Args:
        run_uri: the run.
        overrides: values under `compute` to replace, such as `compute.address=auto`.

    Returns:
        The URI of the complete run.

    Raises:
        RunError: there is no such run, somebody else drives it, or its inputs have changed.
    """
    return _corridor(reopen(run_uri, overrides or []), "resumed")


def _corridor(run: Run, event: str) -> str:
    with run.folder.lease() as lease:
        if run.folder.is_complete():  # by somebody who held the lease before
            return run.uri
        run.folder.append_event(event, {})
        with open_pool(run.config.compute, run.blueprint) as pool:
            for repeat in run.study.ask_repeats():
                measure_round.with_options(name=f"measure {repeat.name}")(run, pool, repeat)
            if run.study.overlap > 1:
                measure_stream.with_options(name=f"measure {run.config.method}")(run, pool)
            else:
                while (question := run.study.ask()) is not None:
                    measure_round.with_options(name=f"measure {question.name}")(run, pool, question)
            measure_round.with_options(name="measure scalars")(run, pool, run.study.ask_scalars())
            final = search(run)
            measure_round.with_options(name="re-measure front")(run, pool, final.question)
        lease.check()
        return publish(run, final)
