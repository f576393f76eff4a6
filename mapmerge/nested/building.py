"""Trees that the library makes: balanced in the study's order, or by how alike the task vectors are."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from mapmerge.errors import BadInputError, ConfigError
from mapmerge.nested.tree import FEWEST, MOST, Child, Node, Tree, join, leaves
from mapmerge.records import Array

Grouping = Callable[[list[Child], list[int]], list[list[Child]]]
"""Puts children into groups of the given sizes, largest first."""


def balanced(experts: Sequence[str], *, fan_in: int = 2) -> Tree:
    """Return the tree that merges neighbours in the study's order.

    The first level brings the number of children down to a power of the fan-in, the largest below it, and every
    further level divides it by the fan-in: no expert lies deeper than the next power would ask for, so that the
    evaluations of a tree of pairs grow at most as k (log2 k + 0.09).

    Args:
        experts: names, at least two; any number of them.
        fan_in: most children of a node, from 2 to 4.

    Raises:
        ConfigError: there are too few experts, or the fan-in is none.

    >>> balanced(["a", "b", "c", "d", "e"]).to_json()
    [[['a', 'b'], 'c'], ['d', 'e']]
    >>> balanced(["a", "b", "c", "d", "e"], fan_in=4).to_json()
    [['a', 'b'], 'c', 'd', 'e']
    """
    return _by_levels(experts, fan_in, _neighbours)


def similarity(experts: Sequence[str], cosines: Array, *, fan_in: int = 2) -> Tree:
    """Return the tree that merges first what interacts most.

    How far two experts disturb each other when both are added to the base depends, to second order, on the inner
    product of their task vectors: orthogonal ones hardly do, whether they would otherwise agree or not. What a node
    has chosen is fixed from then on, up to its length. So those with the largest |cosine| are settled together in the
    first levels, and what is left to meet near the root are groups that are as good as orthogonal, to which it matters
    least that the other was not there when they were settled. Groups are compared by the mean |cosine| between their
    experts, and each level, of the same size as in `balanced`, is filled greedily: the pair with the largest mean
    first, then, where there is room, whoever is closest to the group. Ties, which is what differences below a millionth
    count as, go to who comes first in the study.

    Args:
        experts: names, at least two.
        cosines: of the angles between their task vectors, shape [k, k].
        fan_in: most children of a node, from 2 to 4.

    Raises:
        ConfigError: there are too few experts, or the fan-in is none.
        BadInputError: the table does not fit the experts, or is not finite.

    Source: group-average linkage of Sokal and Michener, 1958, filled level by level.

    >>> table = np.array([[1.0, 0.1, 0.8, 0.0], [0.1, 1.0, 0.0, 0.3], [0.8, 0.0, 1.0, 0.1], [0.0, 0.3, 0.1, 1.0]])
    >>> similarity(["a", "b", "c", "d"], table).to_json()
    [['a', 'c'], ['b', 'd']]
    """
    k = len(experts)
    if np.shape(cosines) != (k, k) or not np.isfinite(cosines).all():
        raise BadInputError(f"expected a finite table of cosines [{k}, {k}], got shape {list(np.shape(cosines))}")
    near = np.abs(cosines)
    place = {name: index for index, name in enumerate(experts)}

    def closest(children: list[Child], sizes: list[int]) -> list[list[Child]]:
        rows = [[place[name] for name in leaves(child)] for child in children]
        alike = [[round(float(near[np.ix_(one, other)].mean()), 6) for other in rows] for one in rows]
        return [[children[index] for index in group] for group in _fill(alike, sizes)]

    return _by_levels(experts, fan_in, closest)


def _fill(alike: list[list[float]], sizes: list[int]) -> list[list[int]]:
    """Put the indices of a table into groups of these sizes, largest first, each around the closest pair left."""
    groups: list[list[int]] = []
    free = list(range(len(alike)))
    for size in sizes:
        if size == 1:  # whoever is left waits for the next level, in the order that it has
            groups.append([free.pop(0)])
            continue
        _, first, second = min((-alike[a][b], a, b) for a in free for b in free if a < b)
        group = [first, second]
        while len(group) < size:
            others = [index for index in free if index not in group]
            group.append(min(others, key=lambda index: (-sum(alike[index][member] for member in group), index)))
        free = [index for index in free if index not in group]
        groups.append(group)
    return groups


def _neighbours(children: list[Child], sizes: list[int]) -> list[list[Child]]:
    ends = itertools.accumulate(sizes, initial=0)
    return [children[start:end] for start, end in itertools.pairwise(ends)]


def _by_levels(experts: Sequence[str], fan_in: int, group: Grouping) -> Tree:
    """Build a tree from the leaves up; a group of one waits for the next level."""
    if not FEWEST <= fan_in <= MOST:
        raise ConfigError(f"tree: expected a fan-in from {FEWEST} to {MOST}, got {fan_in}")
    place = {name: index for index, name in enumerate(experts)}
    children: list[Child] = list(experts)
    while len(children) > 1:
        count = 1
        while count * fan_in < len(children):
            count *= fan_in
        size, more = divmod(len(children), count)
        groups = group(children, [size + 1] * more + [size] * (count - more))
        joined: list[Child] = [join(members, experts) if len(members) > 1 else members[0] for members in groups]
        children = sorted(joined, key=lambda child: place[leaves(child)[0]])
    if not children or isinstance(children[0], str):
        raise ConfigError(f"a merge tree needs at least {FEWEST} experts, there is {len(experts)}: nothing to merge")
    root: Node = children[0]
    return Tree(tuple(experts), root)
