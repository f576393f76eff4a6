"""What a tree costs, and how it looks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mapmerge.nested.groups import Owners, group_weights, looks_at
from mapmerge.nested.tree import Node, Tree
from mapmerge.surrogates.features import parameter_count


@dataclass(frozen=True, slots=True)
class NodeCost:
    """What one run of a node asks for.

    Args:
        candidates: merges of its children.
        objectives: on how many objectives each of them is measured.
        share: of the items, that a measurement sees.
    """

    candidates: int
    objectives: int
    share: float = 1.0

    @property
    def evaluations(self) -> float:
        """Measurements of one candidate on all items of one objective, or on as many items."""
        return self.candidates * self.objectives * self.share

    def __str__(self) -> str:
        seen = "" if self.share == 1.0 else f" × {self.share:.0%} of the items"
        return f"{self.candidates} candidates × {self.objectives} objectives{seen} = {self.evaluations:.0f} evaluations"


def costs(tree: Tree, belongs: Owners, *, of_node: Callable[[int], int] = parameter_count) -> Mapping[str, NodeCost]:
    """Return what every node costs for one preference, by its name; evaluations that nodes share are counted twice.

    Over a tree of pairs with one objective an expert this is 6 for each expert and level, so about 6 k log2 k, where a
    search over all experts at once needs half of (k+1)(k+2) k to determine its quadratics. A second preference costs
    less than the first: the lowest nodes are shared.

    Args:
        tree: the tree.
        belongs: which expert each objective belongs to.
        of_node: candidates of a node with so many children, all of whose items are measured; by default as many as a
            quadratic has parameters.

    >>> from mapmerge.nested.building import balanced
    >>> tree = balanced("abcdefgh")
    >>> sum(cost.evaluations for cost in costs(tree, {name: name for name in "abcdefgh"}).values())
    144.0
    """
    return {
        node.name: NodeCost(of_node(len(node.children)), len(looks_at(node, belongs, tree.experts)))
        for node in tree.nodes
    }


def runs(tree: Tree, belongs: Owners, preferences: Sequence[Mapping[str, float]]) -> Mapping[str, int]:
    """Return how often each node must be run at most, by its name.

    What is chosen for a node can differ only between preferences for which something below it differs, or that give
    other shares to the objectives that it looks at. A node is run once for each way in which its children are settled.

    Args:
        tree: the tree.
        belongs: which expert each objective belongs to.
        preferences: weights by objective.

    >>> from mapmerge.nested.building import balanced
    >>> wanted = [{"a": 0.5, "b": 0.5}, {"a": 1.0}, {"a": 0.25, "b": 0.25, "c": 0.5}]
    >>> dict(runs(balanced("abc"), {name: name for name in "abc"}, wanted))
    {'a--b': 1, 'a--b--c': 2}
    """
    ways: dict[str, list[int]] = {}
    found = {}
    for node in tree.nodes:
        below = [ways[child.name] for child in node.children if isinstance(child, Node)]
        settled = [tuple(way[number] for way in below) for number in range(len(preferences))]
        found[node.name] = len(set(settled))
        names = looks_at(node, belongs, tree.experts)
        shares = [group_weights(names, preference).tobytes() for preference in preferences]
        numbers: dict[object, int] = {}
        ways[node.name] = [numbers.setdefault(way, len(numbers)) for way in zip(settled, shares, strict=True)]
    return found


def draw(tree: Tree, notes: Mapping[str, object]) -> str:
    """Return the tree as text, the root first.

    Args:
        tree: the tree.
        notes: what is to stand behind each node, by its name, such as its cost.

    >>> from mapmerge.nested.building import balanced
    >>> tree = balanced("abc")
    >>> print(draw(tree, {"a--b": "24 evaluations", "a--b--c": "36 evaluations"}))
    a--b--c: 36 evaluations
    ├── a--b: 24 evaluations
    │   ├── a
    │   └── b
    └── c
    """
    return "\n".join(_lines(tree.root, notes))


def _lines(node: Node, notes: Mapping[str, object]) -> list[str]:
    lines = [f"{node.name}: {notes[node.name]}" if node.name in notes else node.name]
    for child in node.children:
        last = child is node.children[-1]
        first, *rest = [child] if isinstance(child, str) else _lines(child, notes)
        lines.append(("└── " if last else "├── ") + first)
        lines += [("    " if last else "│   ") + line for line in rest]
    return lines
