"""The study of one node of a merge tree: what merges of its children are measured on, and how often."""

from collections.abc import Sequence

from mapmerge.config.model import Budget, Expert, Method, StudyConfig
from mapmerge.config.reading import validate
from mapmerge.nested.tree import Node, name
from mapmerge.randomness import generator


def node_study(
    config: StudyConfig, node: Node, objectives: Sequence[str], *, method: Method, evaluations: int | None = None
) -> StudyConfig:
    """Return the study that finds the surfaces of one node.

    Its experts are the node's children, under their names; what they are as merges of the original experts is not its
    concern (see `nested.compose.lift_question`). A child that is a node has no checkpoint, and its name stands there
    instead. Everything else, such as sampling and the gate, is the whole study's. The seed is drawn for the node: nodes
    of one study have different designs, and a node has the same one whatever its children were chosen to be.

    Args:
        config: the whole study.
        node: one of its nodes.
        objectives: names of those that the node looks at.
        method: how the node is searched.
        evaluations: its budget; 2p unless given, p being the parameters of a quadratic in its children.

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
        "objectives": [objective for objective in config.objectives if objective.name in objectives],
        "method": method,
        "seed": int(generator(config.seed, "node", node.name).integers(2**32)),
        "budget": Budget(evaluations=evaluations, front=config.budget.front),
        "design": config.design.model_copy(update={"points": None}),
    }
    return validate(values, {}, source=f"node {node.name!r}")
