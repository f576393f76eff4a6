"""What a study says of nested merging: its tree, what is wanted, and the study of each node."""

from collections.abc import Sequence

from mapmerge.config.model import Expert, Method, StudyConfig, owners_of
from mapmerge.config.reading import validate
from mapmerge.config.sections import Budget, Design
from mapmerge.nested.building import balanced, similarity
from mapmerge.nested.grid import preference_grid
from mapmerge.nested.groups import group_weights
from mapmerge.nested.tree import Node, Tree, name
from mapmerge.nested.written import read_tree
from mapmerge.randomness import generator
from mapmerge.records import Array

_MASS = (0.0, 2.0)
"""Least and greatest sum of a node's coefficients, each of which is at most 1: all of the box for two children."""

__all__ = ["node_study", "owners_of", "preferences_of", "tree_of"]


def tree_of(config: StudyConfig, cosines: Array) -> Tree | None:
    """Return the tree along which a study merges, None for `paper`: that one grows while its nodes are measured.

    Args:
        config: the whole study.
        cosines: of the angles between the experts' task vectors, shape [k, k].

    Raises:
        ConfigError: a tree that is written out does not fit the experts.
    """
    experts, nested = [expert.name for expert in config.experts], config.nested
    if isinstance(nested.tree, list):
        return read_tree(nested.tree, experts)
    if nested.tree == "paper":
        return None
    if nested.tree == "balanced":
        return balanced(experts, fan_in=nested.most_children)
    return similarity(experts, cosines, fan_in=nested.most_children)


def preferences_of(config: StudyConfig) -> tuple[dict[str, float], ...]:
    """Return what is wanted: for each preference the weight of every objective, >= 0 and with sum 1.

    Args:
        config: the whole study.
    """
    names, wanted = [objective.name for objective in config.objectives], config.nested.preferences
    if isinstance(wanted, int):
        rows = list(preference_grid(wanted, len(names)))
    else:
        rows = [group_weights(names, preference) for preference in wanted]
    return tuple(dict(zip(names, row.tolist(), strict=True)) for row in rows)


def _design(design: Design) -> Design:
    """Return the design of a node: the box up to 1, unless the study says something else than nothing.

    Children are few and good already: sums that pay for many experts, each added a little, lead to where a merge of few
    is good for nothing.
    """
    unsaid = design.kind == "dirichlet-mass" and design.mass is None
    region = {"kind": "sobol", "mass": _MASS} if unsaid else {}
    return design.model_copy(update={"points": None, **region})


def node_study(
    config: StudyConfig, node: Node, objectives: Sequence[str], *, method: Method, evaluations: int | None = None
) -> StudyConfig:
    """Return the study that finds the surfaces of one node.

    Its experts are the node's children, under their names; what they are as merges of the original experts is not its
    concern (see `nested.compose.lift_question`). A child that is a node has no checkpoint, and its name stands there
    instead. Everything else, such as sampling and the gate, is the whole study's. The seed is drawn for the node: nodes
    of one study have different designs, and a node has the same one whatever its children were chosen to be. To whom an
    objective belongs is not its concern either: the experts of the whole study are not among its own.

    Args:
        config: the whole study.
        node: one of its nodes.
        objectives: names of those that the node looks at.
        method: how the node is searched.
        evaluations: its budget; unless given, what the method takes by default for as many experts as it has children.

    Raises:
        ConfigError: the budget is too small for the method.
    """
    experts = {expert.name: expert for expert in config.experts}
    values = {
        **config.model_dump(),
        "name": node.name,
        "experts": [
            experts[name(child)] if isinstance(child, str) else Expert(name=name(child), checkpoint=name(child))
            for child in node.children
        ],
        "objectives": [
            each.model_copy(update={"expert": None}) for each in config.objectives if each.name in objectives
        ],
        "method": method,
        "seed": int(generator(config.seed, "node", node.name).integers(2**32)),
        "budget": Budget(evaluations=evaluations, front=config.budget.front),
        "design": _design(config.design),
    }
    return validate(values, {}, source=f"node {node.name!r}")
