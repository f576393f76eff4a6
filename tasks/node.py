"""One node of a merge tree while it is being searched: a study of its own, in the ledger of the whole run."""

from collections.abc import Sequence
from dataclasses import replace

from mapmerge.config.nodes import node_study, owners_of
from mapmerge.methods.protocol import Brief
from mapmerge.nested.compose import lift_question, lower_answers
from mapmerge.nested.groups import looks_at
from mapmerge.nested.plan import NodeRun
from mapmerge.nested.tree import Node
from mapmerge.records import Evaluation, Question
from mapmerge.study import Study
from tasks.run import Request, Run

_SHORT = 8
"""Characters of a key that tell the runs of one node apart."""


def study_of(whole: Brief, node: Node) -> Study:
    """Return the study of one node, with nothing measured.

    Raises:
        ConfigError: the study's design or budget does not fit the node.
    """
    options = whole.config.nested
    names = looks_at(node, owners_of(whole.config), [expert.name for expert in whole.config.experts])
    config = node_study(whole.config, node, names, method=options.method, evaluations=options.evaluations)
    own = [at for at, name in enumerate(whole.names) if name in names]
    items, held_out = (tuple(sizes[at] for at in own) for sizes in (whole.items, whole.held_out))
    return Study(config, tuple(whole.objectives[at] for at in own), items, held_out)


class NodeSearch(Run):
    """The search of one node, whose children are merges that are settled.

    What it asks of merges of its children is measured, and kept, as what these are of the original experts.

    Args:
        whole: the run of the whole study.
        merge: which node, and what its children are.
    """

    def __init__(self, whole: Run, merge: NodeRun) -> None:
        self.folder, self.ledger, self.frozen, self.blueprint = (
            whole.folder,
            whole.ledger,
            whole.frozen,
            whole.blueprint,
        )
        self.lease, self.metrics = whole.lease, whole.metrics
        self.merge = merge
        self.study = study_of(whole.study.brief, merge.node)
        self.config, self.objectives = self.study.config, self.study.objectives
        self._answered: dict[str, tuple[Question, list[Evaluation]]] = {}

    @property
    def answered(self) -> Sequence[tuple[Question, list[Evaluation]]]:
        """Every question and its answers, about merges of all experts, in the order asked."""
        return tuple(self._answered.values())

    def called(self, question: Question) -> str:
        """Return what a question is called among those of all nodes."""
        return f"{self.merge.node.name} {self.merge.key[:_SHORT]}: {question.name}"

    def requests(self, question: Question) -> list[Request]:
        """Return what a question asks for, of merges of all experts."""
        return super().requests(lift_question(question, self.merge.axes))

    def tell(self, question: Question, evaluations: list[Evaluation]) -> None:
        """Tell the node's study what came of its question.

        Raises:
            FailedRunError: more evaluations failed than the study allows.
        """
        names = self.study.brief.names
        lifted = lift_question(question, self.merge.axes)
        wanted = lifted.wanted or (dict.fromkeys(names),) * len(lifted.coefficients)
        self._answered[question.name] = (
            replace(lifted, name=self.called(question), wanted=wanted, blind=False),
            evaluations,
        )
        self.study.tell(question, lower_answers(question, self.merge.axes, evaluations, names))
