"""The flow that finds a front along a merge tree, whatever method the study file names."""

from prefect import flow

from flows import pareto


@flow(name="find-front-nested", flow_run_name=pareto.run_name)
def find_front(
    study: str,
    output: str,
    run_id: str | None = None,
    overrides: list[str] | None = None,
    extend: str | None = None,
) -> str:
    """Find merged models along a merge tree and publish them: `flows.pareto.find_front` with `method: nested`.

    Args:
        study: path of the study file, where the flow runs.
        output: URI that holds the shared ledger `evaluations/` and `runs/RUN_ID/`.
        run_id: name of the run; by default made from the study's name and the id of the flow run.
        overrides: values of the study to replace, such as `nested.preferences=10`.
        extend: a complete run, of a family with fewer or more experts: what it measured is not measured again.

    Returns:
        The URI of the complete run.
    """
    return pareto.find_front.fn(study, output, run_id, overrides, extend, "nested")
