"""The flows that find a front: from a study file, or from where a run was interrupted."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.corridor import walk
from mapmerge.config.model import Method
from tasks.prepare import begun_by, new_run_id, prepare, reopen


def run_name() -> str:
    """Return what a flow run is called: as its run, where that is known."""
    parameters: dict[str, Any] = flow_run.parameters
    return str(parameters.get("run_id") or parameters.get("run_uri", "").rstrip("/").rsplit("/", 1)[-1] or "new run")


@flow(name="find-front", flow_run_name=run_name)
def find_front(
    study: str,
    output: str,
    run_id: str | None = None,
    overrides: list[str] | None = None,
    extend: str | None = None,
    method: Method | None = None,
) -> str:
    """Find the Pareto front of a study and publish it; a retry goes on with the run that the first try began.

    Args:
        study: path of the study file, where the flow runs.
        output: URI that holds the shared ledger `evaluations/` and `runs/RUN_ID/`.
        run_id: name of the run; by default made from the study's name and the id of the flow run.
        overrides: values of the study to replace, such as `budget.evaluations=60`.
        extend: a complete run, of a family with fewer or more experts: what it measured is not measured again.
        method: how the search is done, whatever the study file says.

    Returns:
        The URI of the complete run.

    Raises:
        BadInputError: the study or what it names cannot be used; nothing was measured.
        FailedRunError: too many evaluations failed, or the resources are not there.
    """
    began = None if flow_run.id is None else str(flow_run.id)
    run_id = run_id or new_run_id(study, began)
    overrides = [*(overrides or []), *([] if method is None else [f"method={method}"])]
    if (again := begun_by(began, output, run_id)) is not None:
        return walk(reopen(again, []), "resumed")
    return walk(prepare(study, output, run_id, overrides, extend, began), "started")


@flow(name="resume-front", flow_run_name=run_name)
def resume_front(run_uri: str, overrides: list[str] | None = None) -> str:
    """Go on with a run that was interrupted: what the ledger has is not measured again, and the front is the same.

    Args:
        run_uri: URI of the run.
        overrides: values under `compute` to replace, such as `compute.address=auto`.

    Returns:
        The URI of the complete run.

    Raises:
        RunError: there is no such run, somebody else drives it, or its inputs have changed.
    """
    return walk(reopen(run_uri, overrides or []), "resumed")
