"""One node of a merge tree while it is being searched: a study of its own, in the ledger of the whole run."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mapmerge.config.nodes import node_study, owners_of
from mapmerge.methods.protocol import Brief
from mapmerge.nested.compose import lift, lift_question, lower_answers
from mapmerge.nested.groups import looks_at
from mapmerge.nested.plan import NodeRun
from mapmerge.nested.tree import Node
from mapmerge.records import Array, Evaluation, Question, Wanted
from mapmerge.study import Study
from mapmerge.surrogates.features import parameter_count
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
    config = node_study(whole.config, node, names, method=options.method, evaluations=_evaluations(whole, node, names))
    own = [at for at, name in enumerate(whole.names) if name in names]
    items, held_out = (tuple(sizes[at] for at in own) for sizes in (whole.items, whole.held_out))
    return Study(config, tuple(whole.objectives[at] for at in own), items, held_out)


def _evaluations(whole: Brief, node: Node, names: Sequence[str]) -> int | None:
    """Return the budget of a node in units, None for what its method takes by default.

    Where candidates see samples, an unmerged model that is known by all items of every objective counts as measured:
    the base is, and an expert whose own they all are, or nobody's.
    """
    given = whole.config.nested.evaluations
    if given is not None or not _starts_from_known(whole):
        return given
    belongs = owners_of(whole.config)
    known = 1 + sum(all(belongs[name] in (child, None) for name in names) for child in node.children)
    return parameter_count(len(node.children)) - known


def _starts_from_known(whole: Brief) -> bool:
    """Say whether nodes would otherwise measure samples of unmerged models that are known by all items."""
    return whole.config.nested.method == "adaptive" and whole.config.sampling.items != "all"


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
        if _starts_from_known(whole.study.brief):
            self._know(whole.study.history.evaluations)

    def _know(self, evaluations: Sequence[Evaluation]) -> None:
        """Tell the node's study what is known by all items of its children, and of the base."""
        names = self.study.brief.names
        corners = np.vstack([np.zeros((1, self.study.brief.k)), np.eye(self.study.brief.k)])
        whole = {
            (each.coefficients.tobytes(), each.objective): each
            for each in evaluations
            if each.split == "search" and each.sample is None and each.error is None
        }
        rows: list[Array] = []
        wanted: list[Wanted] = []
        known: list[Evaluation] = []
        for corner, lifted in zip(corners, lift(corners, self.merge.axes), strict=True):
            told = [whole[place] for name in names if (place := (lifted.tobytes(), name)) in whole]
            if told:
                rows.append(corner)
                wanted.append(dict.fromkeys(each.objective for each in told))
                known += [replace(each, coefficients=corner) for each in told]
        question = Question("known", "search", np.vstack(rows), tuple(wanted))
        self.study.know(question)
        self.study.tell(question, known)

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
