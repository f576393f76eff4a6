"""The flow that measures an existing front on other held-out items."""

from prefect import flow
from prefect.runtime import flow_run

from flows.corridor import walk
from flows.pareto import run_name
from mapmerge.ledger.runs import find_run
from tasks.prepare import begun_by, new_run_id, reopen
from tasks.remeasure import prepare_again


@flow(name="remeasure-front", flow_run_name=run_name)
def remeasure_front(
    run_uri: str, held_out: dict[str, str], run_id: str | None = None, overrides: list[str] | None = None
) -> str:
    """Measure the front of a complete run, and its baselines, on other held-out items; nothing is searched again.

    What comes out is a complete run beside the first one, with a result, a report and a verdict of its own.

    Args:
        run_uri: URI of the complete run.
        held_out: by the name of an objective, the item set that takes the place of its held-out items.
        run_id: name of the new run; by default made from that of the first and the id of the flow run.
        overrides: values under `compute` to replace, such as `compute.address=auto`.

    Returns:
        The URI of the new run.

    Raises:
        BadInputError: the run or an item set cannot be used; nothing was measured.
    """
    began = None if flow_run.id is None else str(flow_run.id)
    first = find_run(run_uri)
    run_id = run_id or new_run_id(first.run_id, began)
    if (again := begun_by(began, first.store.uri, run_id)) is not None:
        return walk(reopen(again, []), "resumed")
    return walk(prepare_again(run_uri, held_out, run_id, overrides or [], began), "started")
