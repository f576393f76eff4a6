"""Read a merge tree that somebody has written out."""

from collections.abc import Iterator, Sequence
from typing import Any

from mapmerge.errors import ConfigError
from mapmerge.nested.tree import FEWEST, MOST, Child, Node, Tree, join, require_each_once


def read_tree(written: object, experts: Sequence[str]) -> Tree:
    """Read a tree that is written out as nested lists of names, such as `[[a, b], [c, [d, e]]]`.

    Args:
        written: what YAML or JSON made of it.
        experts: all experts, in the study's order.

    Raises:
        ConfigError: something in it is neither a name nor a list, a list has too few or too many entries, or an expert
            is unknown, left out or named twice.

    >>> [node.name for node in read_tree([["d", "c"], ["a", "b"]], ["a", "b", "c", "d"]).nodes]
    ['a--b', 'c--d', 'a--b--c--d']
    """
    require_each_once(tuple(_names(written, "tree")), experts)
    root = _joined(written, experts)
    assert isinstance(root, Node)  # one name alone leaves the others out
    return Tree(tuple(experts), root)


def _names(entry: object, where: str) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif not isinstance(entry, list):
        raise ConfigError(f"{where}: expected the name of an expert or a list of them, got {entry!r}")
    elif not FEWEST <= len(entry) <= MOST:
        what = "an empty list" if not entry else f"{len(entry)}: {entry!r}"
        hint = "; write what is in it without a list of its own" if len(entry) == 1 else ""
        raise ConfigError(f"{where}: a node has from {FEWEST} to {MOST} children, got {what[:80]}{hint}")
    else:
        for index, child in enumerate(entry):
            yield from _names(child, f"{where}[{index}]")


def _joined(entry: Any, experts: Sequence[str]) -> Child:
    return entry if isinstance(entry, str) else join([_joined(child, experts) for child in entry], experts)
