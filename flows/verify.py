"""The flow that hashes finished runs again, as `mapmerge verify` does."""

from prefect import flow

from mapmerge.errors import IntegrityError
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.listing import find_store, list_runs
from mapmerge.ledger.references import STUDY
from mapmerge.ledger.runs import open_run
from mapmerge.ledger.store import Store


@flow(name="verify-runs", log_prints=True)
def verify_runs(uri: str) -> list[str]:
    """Compare runs, and the evaluations they rest on, with their manifests.

    Args:
        uri: a run, or a store of runs: then every run of it that was completed.

    Returns:
        The URIs of the runs, all of which are what their manifests say.

    Raises:
        IntegrityError: some are not; says of each what is wrong.
        RunError: there is neither a run nor a store, or the run is not complete.
    """
    if Store(uri).exists(STUDY):
        uris, problems = [uri], []
    else:
        found = list_runs(find_store(uri))
        uris = [run.uri for run in found if run.state == "complete"]
        problems = [f"{run.uri}: {run.why}" for run in found if run.state == "damaged"]
    for run in uris:
        folder = open_run(run)
        wrong = folder.verify(EvaluationLedger(folder.store))
        problems += [f"{run}: {problem}" for problem in wrong]
        print(f"{run}: {f'{len(wrong)} problems' if wrong else 'every file and every evaluation is there'}")
    if problems:
        raise IntegrityError("\n".join(problems))
    return uris
