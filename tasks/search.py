"""Fit the surrogates, search them, and say which candidates are to be measured on held-out items."""

import numpy as np
from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.records import Array
from mapmerge.study import FinalQuestion
from tasks.progress import Progress, report
from tasks.run import Run


@task(name="search", cache_policy=NO_CACHE)
def search(run: Run, settled: Array | None = None) -> FinalQuestion:
    """Find the predicted front and keep the surfaces it was found on.

    Args:
        run: its search is over.
        settled: merges [n, k] that are delivered in any case, before those of the predicted front.

    Returns:
        What to measure on held-out items: the chosen points, or those of the front that is re-measured, and the
        baselines.

    Raises:
        FailedRunError: an objective has nothing to fit.
    """
    report(Progress("search"))
    surfaces = run.study.fit()
    run.folder.put_json("surfaces", surfaces.to_json())
    delivered = run.study.predict(surfaces) if run.delivered is None else run.delivered
    if settled is not None and run.delivered is None:
        new = [row for row in delivered if not (settled == row).all(axis=1).any()]
        delivered = np.vstack([settled, *new])[: run.config.budget.front]
    run.folder.append_event("search", {"delivered": len(delivered)})
    return run.study.ask_final(delivered, settled if run.config.nested.refine else None)
