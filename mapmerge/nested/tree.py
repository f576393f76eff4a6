"""The merge tree: experts in the leaves, and at each node the few children that are merged there."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from mapmerge.errors import ConfigError, did_you_mean

FEWEST, MOST = 2, 4
"""Children that a node may have: beyond four, a node is a search in many dimensions again."""

_BETWEEN = "--"
_LONGEST = 60
_HASH = 8


@dataclass(frozen=True)
class Node:
    """A merge of a few children, each an expert or a node. `join` makes one.

    Args:
        children: experts by their names, or nodes; in the order of their first experts in the study.
        leaves: names of all experts below, in the study's order.
    """

    children: "tuple[Node | str, ...]"
    leaves: tuple[str, ...]

    @cached_property
    def name(self) -> str:
        """What the node is called: its experts, or the first of them, how many more there are, and a hash.

        It depends on the experts only, has at most 60 characters, and differs between nodes of different experts.
        """
        whole = _BETWEEN.join(self.leaves)
        if len(whole) <= _LONGEST and not any(_BETWEEN in leaf for leaf in self.leaves):
            return whole
        digest = hashlib.sha256("\n".join(self.leaves).encode()).hexdigest()[:_HASH]
        more = f"{_BETWEEN}{len(self.leaves) - 1}-more-{digest}"
        return self.leaves[0][: _LONGEST - len(more)] + more

    @cached_property
    def height(self) -> int:
        """How many nodes lie on the longest way down to an expert, this one included."""
        return 1 + max((child.height for child in self.children if isinstance(child, Node)), default=0)


Child = Node | str


def leaves(child: Child) -> tuple[str, ...]:
    """Return the names of the experts below a child, in the study's order; an expert is its own only one."""
    return child.leaves if isinstance(child, Node) else (child,)


def name(child: Child) -> str:
    """Return the name of an expert or of a node."""
    return child.name if isinstance(child, Node) else child


def join(children: Sequence[Child], experts: Sequence[str]) -> Node:
    """Return the node that merges some children, whatever their order.

    Args:
        children: from 2 to 4 experts or nodes.
        experts: all experts, in the study's order.

    Raises:
        ConfigError: there are too few or too many children.

    >>> join(["c", join(["b", "a"], "abc")], "abc").name
    'a--b--c'
    """
    if not FEWEST <= len(children) <= MOST:
        listed = ", ".join(map(name, children)) or "nothing"
        raise ConfigError(f"a node of a merge tree has from {FEWEST} to {MOST} children, but one has {listed}")
    place = {expert: index for index, expert in enumerate(experts)}
    below = sorted((leaf for child in children for leaf in leaves(child)), key=place.__getitem__)
    return Node(tuple(sorted(children, key=lambda child: place[leaves(child)[0]])), tuple(below))


@dataclass(frozen=True)
class Tree:
    """A whole merge tree.

    Args:
        experts: names of all experts, in the study's order.
        root: the node that merges everything.

    Raises:
        ConfigError: there is one expert only, an expert is not exactly once in the tree, or a node would have the name
            of an expert.

    >>> tree = Tree(("a", "b", "c"), join(["c", join(["b", "a"], "abc")], "abc"))
    >>> [[node.name for node in level] for level in tree.levels]
    [['a--b'], ['a--b--c']]
    >>> tree.to_json()
    [['a', 'b'], 'c']
    """

    experts: tuple[str, ...]
    root: Node

    def __post_init__(self) -> None:
        require_each_once(self.root.leaves, self.experts)
        taken = {node.name for node in self.nodes} & set(self.experts)
        if taken:
            raise ConfigError(
                f"an expert and a node of the merge tree are both called {min(taken)!r}; rename the expert"
            )

    @cached_property
    def levels(self) -> tuple[tuple[Node, ...], ...]:
        """The nodes by height, children before parents; those of one level do not depend on each other."""
        found: list[list[Node]] = [[] for _ in range(self.root.height)]
        for node in _walk(self.root):
            found[node.height - 1].append(node)
        return tuple(tuple(level) for level in found)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes, children before parents."""
        return tuple(node for level in self.levels for node in level)

    def ready(self, done: Collection[str]) -> tuple[Node, ...]:
        """Return the nodes that can be run now: not done themselves, and with every child an expert or done.

        Args:
            done: names of nodes.
        """
        return tuple(
            node
            for node in self.nodes
            if node.name not in done and all(child.name in done for child in node.children if isinstance(child, Node))
        )

    def to_json(self) -> list[object]:
        """Return the tree as nested lists of names, which `written.read_tree` reads back."""
        return _plain(self.root)


def require_each_once(named: Sequence[str], experts: Sequence[str]) -> None:
    """Check that a tree's leaves are the experts of the study.

    Raises:
        ConfigError: there are fewer than two experts, or one is unknown, left out or named twice; lists all of these.
    """
    if len(experts) < FEWEST:
        raise ConfigError(f"a merge tree needs at least {FEWEST} experts, there is {len(experts)}: nothing to merge")
    counts = Counter(named)
    problems = [
        f"no expert is called {name!r}; {did_you_mean(name, experts)}" for name in counts if name not in experts
    ]
    problems += [f"expert {name!r} is there {count} times" for name, count in counts.items() if count > 1]
    problems += [f"expert {name!r} is left out" for name in experts if name not in counts]
    if problems:
        raise ConfigError("tree: every expert must be in it exactly once, but " + "; ".join(problems))


def _walk(node: Node) -> Iterator[Node]:
    for child in node.children:
        if isinstance(child, Node):
            yield from _walk(child)
    yield node


def _plain(node: Node) -> list[object]:
    return [child if isinstance(child, str) else _plain(child) for child in node.children]
