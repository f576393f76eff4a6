"""Which objectives a node looks at, and how much each of them counts there."""

from collections.abc import Mapping, Sequence

import numpy as np

from mapmerge.errors import ConfigError, PreferenceError, did_you_mean
from mapmerge.nested.tree import Node
from mapmerge.records import Array

Owners = Mapping[str, str | None]
"""The expert that each objective belongs to, None where it is nobody's; objectives in the study's order."""


def owners(objectives: Sequence[str], experts: Sequence[str], written: Mapping[str, str | None]) -> Owners:
    """Return which expert each objective belongs to: the one written, else the one of the same name, else nobody.

    An expert may have several objectives or none.

    Args:
        objectives: names, in the study's order.
        experts: names.
        written: what the study says; None: nobody's, although an expert has that name.

    Raises:
        ConfigError: it names an objective or an expert that there is not.

    >>> owners(["a", "b", "speed"], ["a", "c"], {"b": "c"})
    {'a': 'a', 'b': 'c', 'speed': None}
    """
    for objective, expert in written.items():
        if objective not in objectives:
            raise ConfigError(f"no objective is called {objective!r}; {did_you_mean(objective, objectives)}")
        if expert is not None and expert not in experts:
            raise ConfigError(
                f"objective {objective!r}: no expert is called {expert!r}; {did_you_mean(expert, experts)}"
            )
    own = {name: name if name in experts else None for name in objectives}
    return own | {name: written[name] for name in objectives if name in written}


def looks_at(node: Node, belongs: Owners, experts: Sequence[str]) -> tuple[str, ...]:
    """Return the objectives that a node measures its candidates on, in the study's order.

    Those of the experts below it; at the root all, also those that are nobody's. Where no expert below has an
    objective, there is nothing of its own to go by, and it looks at all objectives too: at least it does no harm.

    Args:
        node: a node of a tree.
        belongs: what `owners` found.
        experts: all experts; the root is the node that has them all.
    """
    own = tuple(name for name, expert in belongs.items() if expert in node.leaves)
    return tuple(belongs) if len(node.leaves) == len(experts) or not own else own


def group_weights(names: Sequence[str], preference: Mapping[str, float]) -> Array:
    """Return how much each objective of a node counts there: its weight as a share of the group's, shape [m].

    The weight of a group is the sum over its objectives, so that the shares on each level multiply to the preference.
    A group that nothing is wanted of counts its objectives evenly: as any even preference would have it, however small.

    Args:
        names: objectives that the node looks at.
        preference: weights >= 0; objectives that are not named count nothing.

    Raises:
        PreferenceError: a weight is negative or not finite, or all of the preference are zero.

    Source: the nested preferences of arXiv 2406.07529.

    >>> group_weights(["a", "b"], {"a": 0.3, "b": 0.1, "c": 0.6}).round(3).tolist()
    [0.75, 0.25]
    >>> group_weights(["a", "b"], {"c": 1.0}).tolist()
    [0.5, 0.5]
    """
    for name, weight in preference.items():
        if not (np.isfinite(weight) and weight >= 0):
            raise PreferenceError(f"expected weights of zero or more, got {name}={weight}")
    if not any(preference.values()):
        raise PreferenceError(f"expected at least one weight above zero, got {dict(preference)}")
    weights = np.array([preference.get(name, 0.0) for name in names])
    total = weights.sum()
    return np.full(len(names), 1.0 / len(names)) if total == 0 else np.asarray(weights / total)
