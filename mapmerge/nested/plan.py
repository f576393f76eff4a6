"""Which nodes must be run next, each only once for all the preferences that need it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mapmerge.ledger.canonical import content_hash
from mapmerge.nested.compose import axes
from mapmerge.nested.tree import Node
from mapmerge.records import Array


@dataclass(frozen=True, slots=True, eq=False)
class NodeRun:
    """A node whose children are settled: all that its measurements depend on.

    Args:
        node: which node.
        axes: what its children are as merges of all experts, shape [f, k].
        waiting: the preferences that need it, by their numbers.
    """

    node: Node
    axes: Array
    waiting: tuple[int, ...]

    @property
    def key(self) -> str:
        """What names the run: equal exactly where the node and every bit of its axes are."""
        return run_key(self.node, self.axes)


def run_key(node: Node, axes: Array) -> str:
    """Return the name of a run of a node with these axes."""
    return content_hash({"node": node.name, "axes": [[value.hex() for value in row] for row in axes.tolist()]})


def needed(
    ready: Sequence[Iterable[Node]], chosen: Sequence[Mapping[str, Array]], experts: Sequence[str]
) -> tuple[NodeRun, ...]:
    """Return the runs that are needed next, none of which depends on another.

    A node's measurements depend on the preference only through what was chosen for its children. So preferences for
    which the same was chosen, bit for bit, share one run, on the lowest level all of them; and a new preference needs
    new runs only above nodes that choose anew. Whoever drives keeps finished runs by their key, passes over those that
    it has, makes the choices of the preferences that wait for them, and asks again, until nothing is ready.

    Args:
        ready: for each preference the nodes that can be run, such as `tree.ready(chosen[i])`.
        chosen: for each preference the coefficients [k] of every finished node, by its name.
        experts: all experts, in the study's order.

    Returns:
        Each distinct run once, in the order in which preferences come to need them.

    >>> import numpy as np
    >>> from mapmerge.nested.building import balanced
    >>> tree = balanced("abc")
    >>> chosen = [{}, {}, {"a--b": np.array([0.5, 0.5, 0.0])}]
    >>> [(run.node.name, run.waiting) for run in needed([tree.ready(done) for done in chosen], chosen, "abc")]
    [('a--b', (0, 1)), ('a--b--c', (2,))]
    """
    found: dict[str, tuple[Node, Array, list[int]]] = {}
    for number, (nodes, done) in enumerate(zip(ready, chosen, strict=True)):
        for node in nodes:
            own = axes(node, done, experts)
            found.setdefault(run_key(node, own), (node, own, []))[2].append(number)
    return tuple(NodeRun(node, own, tuple(waiting)) for node, own, waiting in found.values())
