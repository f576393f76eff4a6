"""The tree of the MAP paper, which grows while its nodes are measured: the closest metrics are merged first."""

from collections.abc import Sequence
from dataclasses import dataclass

from mapmerge.nested.tree import Child, Node, join


@dataclass(frozen=True, slots=True)
class Member:
    """An expert or a node that is in no node yet.

    Args:
        child: which.
        metric: its metric, on the one scale of `scale.unit_scores`: an expert's on its own objectives, a node's the
            mean over those of all its experts, weighted by preference. None while the node is being run.
    """

    child: Child
    metric: float | None


def next_nodes(pool: Sequence[Member], experts: Sequence[str]) -> tuple[Node, ...]:
    """Return the nodes to make next: the pair whose metrics differ least, and what cannot come before or after it.

    The rule makes one pair after the other, and the metric of a node that is being run may turn out next to that of
    any other. So a further node is only made beside it where nothing could be closer: where the metrics of two members
    are equal that have been in the pool for longer. For of equal gaps the one comes first whose younger member is the
    oldest.

    Args:
        pool: what is in no node yet, oldest first; new nodes are to be put at its end.
        experts: all experts, in the study's order.

    Returns:
        New nodes of two, to be taken out of the pool as their members and put into it as running ones; none where the
        rule must wait for a metric, or where everything is merged.

    Source: the pairing of nested merging in the code released with arXiv 2406.07529.

    >>> pool = [Member("a", 0.70), Member("b", 0.90), Member("c", 0.99), Member("d", 0.75)]
    >>> [node.name for node in next_nodes(pool, "abcd")]
    ['a--d']
    >>> next_nodes([Member("b", 0.90), Member("c", 0.99), Member(join(["a", "d"], "abcd"), None)], "abcd")
    ()
    >>> [node.name for node in next_nodes([Member(name, 0.9) for name in "abcd"], "abcd")]
    ['a--b', 'c--d']
    """
    free: list[tuple[Child, float]] = []
    for member in pool:
        if member.metric is None:  # what is younger has to wait for it
            break
        free.append((member.child, member.metric))
    running = len(free) < len(pool)
    nodes: list[Node] = []
    while len(free) > 1:
        pairs = [(abs(free[old][1] - free[young][1]), young, old) for young in range(len(free)) for old in range(young)]
        gap, young, old = min(pairs)
        if running and gap > 0.0:
            break
        nodes.append(join([free[old][0], free[young][0]], experts))
        free = [member for index, member in enumerate(free) if index not in (old, young)]
        running = True
    return tuple(nodes)
