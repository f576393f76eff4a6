"""Fit the surrogates, search them, and say which candidates are to be measured on held-out items."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.study import FinalQuestion
from tasks.progress import Progress, report
from tasks.run import Run


@task(name="search", cache_policy=NO_CACHE)
def search(run: Run) -> FinalQuestion:
    """Find the predicted front and keep the surfaces it was found on.

    Returns:
        What to measure on held-out items: the chosen points and the baselines.

    Raises:
        FailedRunError: an objective has nothing to fit.
    """
    report(Progress("search"))
    surfaces = run.study.fit()
    run.folder.put_json("surfaces", surfaces.to_json())
    delivered = run.study.predict(surfaces)
    run.folder.append_event("search", {"delivered": len(delivered)})
    return run.study.ask_final(delivered)
