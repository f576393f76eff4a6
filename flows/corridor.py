"""From a prepared run to a published one, by whatever method."""

from flows.nodes import search_tree
from tasks.measure import measure_round, measure_stream
from tasks.pool import Pool, open_pool
from tasks.publish import publish
from tasks.run import Run
from tasks.search import search


def walk(run: Run, event: str) -> str:
    """Measure, search, measure again, publish; what the ledger has is not measured a second time.

    Args:
        run: prepared or reopened.
        event: what begins with this, `started` or `resumed`.

    Returns:
        The URI of the complete run.
    """
    with run.lease as lease, run.metrics:
        if run.folder.is_complete():  # by somebody who held the lease before
            return run.uri
        run.folder.append_event(event, {})
        with open_pool(run.config.compute, run.blueprint) as pool:
            for repeat in run.study.ask_repeats():
                measure_round.with_options(name=f"measure {repeat.name}")(run, pool, repeat)
            if run.known is not None:
                run.study.know(run.known)
                measure_round.with_options(name="recall what is known")(run, pool, run.known)
            settled = search_tree(run, pool) if run.config.method == "nested" else None
            _search(run, pool)
            measure_round.with_options(name="measure scalars")(run, pool, run.study.ask_scalars())
            final = search(run, settled)
            measure_round.with_options(name="re-measure front")(run, pool, final.question)
        lease.check()
        return publish(run, final)


def _search(run: Run, pool: Pool) -> None:
    """Measure what the study asks for until it asks no more."""
    if run.study.overlap > 1:
        measure_stream.with_options(name=f"measure {run.config.method}")(run, pool)
        return
    while (question := run.study.ask()) is not None:
        measure_round.with_options(name=f"measure {question.name}")(run, pool, question)
