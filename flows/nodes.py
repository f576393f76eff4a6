"""Nested merging: every node of the merge tree is a sub-flow, and nodes that do not wait for each other run at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from prefect import flow

from mapmerge.errors import FailedRunError, MapmergeError
from mapmerge.methods.nested import SETTLED
from mapmerge.records import Array, Question
from mapmerge.threads import one_blas_thread, one_thread
from tasks.artifacts import show_tree
from tasks.measure import measure_round
from tasks.node import NodeSearch
from tasks.pool import Pool
from tasks.run import Run
from tasks.shared_pool import SharedPool
from tasks.tree import TreeSearch, unmerged_question

MOST_AT_ONCE = 8
"""Nodes that are searched at the same time: each has a thread, and they share the actors."""


def search_tree(run: Run, pool: Pool) -> Array:
    """Search a merge tree from its leaves to its root.

    What a node measured is in the ledger under the coefficients of the original experts, so that a resumed run finds
    it there. A node that fails does so alone: its siblings are finished first.

    Args:
        run: a run of method `nested`.
        pool: the actors, which the nodes share.

    Returns:
        What the preferences chose of the root, shape [n, k].

    Raises:
        FailedRunError: a node failed, or the unmerged models cannot be measured.
    """
    unmerged = unmerged_question(run.config)
    run.study.adopt(unmerged)
    measure_round.with_options(name="measure unmerged models")(run, pool, unmerged)
    tree = TreeSearch(run)
    shared = SharedPool(pool)
    try:
        with one_thread(), one_blas_thread():  # for all nodes: none may lift the limit of the others
            while nodes := tree.next():
                tree.take(_side_by_side([NodeSearch(run, node) for node in nodes], shared))
                show_tree(run.config.name, tree.drawing)
    finally:
        shared.leave()
    settled = Question(SETTLED, "search", tree.settled)
    run.study.adopt(settled)
    measure_round.with_options(name="measure settled merges")(run, pool, settled)
    return settled.coefficients


def _side_by_side(searches: Sequence[NodeSearch], pool: Pool) -> Sequence[NodeSearch]:
    """Search nodes at the same time, each in a sub-flow of its own."""
    with ThreadPoolExecutor(min(len(searches), MOST_AT_ONCE)) as threads:
        # Each thread works in a copy of this context, or Prefect would not know whose sub-flow it is.
        begun = [threads.submit(copy_context().run, _search_node, search, pool) for search in searches]
    failed = {search.config.name: one.exception() for search, one in zip(searches, begun, strict=True)}
    errors = {name: error for name, error in failed.items() if error is not None}
    for error in errors.values():
        if not isinstance(error, MapmergeError):
            raise error
    if errors:
        raise FailedRunError(
            f"{len(errors)} of {len(searches)} nodes failed, the others are done: "
            + "; ".join(f"node {name!r}, {error}" for name, error in errors.items())
        )
    return searches


def _search_node(search: NodeSearch, pool: Pool) -> None:
    merge = search.merge

    @flow(name="merge-node", flow_run_name=f"{search.config.name}")
    def merge_node(children: list[str], coefficients: list[list[float]], objectives: list[str]) -> None:
        """Search the merges of a few children: experts, or what was chosen of nodes below.

        Args:
            children: their names.
            coefficients: what each of them is as a merge of all experts.
            objectives: what the merges are measured on.
        """
        while (question := search.study.ask()) is not None:
            measure_round.with_options(name=f"measure {question.name}")(search, pool, question)

    merge_node([expert.name for expert in search.config.experts], merge.axes.tolist(), list(search.study.brief.names))
