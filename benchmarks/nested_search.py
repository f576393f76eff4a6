"""Nested merging in one process: its budget cut up before anything is measured, its nodes one after the other."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.sample_efficiency import Found, Worker
from mapmerge.config import StudyConfig, read_study
from mapmerge.config.nodes import owners_of, preferences_of, tree_of
from mapmerge.errors import BadInputError
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from mapmerge.methods.nested import SETTLED
from mapmerge.methods.protocol import Brief
from mapmerge.nested.building import balanced
from mapmerge.nested.compose import lift_question
from mapmerge.nested.cost import runs
from mapmerge.records import Array, Question
from mapmerge.study import Study
from mapmerge.threads import one_thread
from tasks.inputs import Inputs, freeze, open_inputs
from tasks.node import NodeSearch, study_of
from tasks.run import Run
from tasks.tree import TreeSearch, unmerged_question

PREFERENCES = 20
"""The most merges that are wanted of the tree."""

NODES = 0.5
"""Share of the budget that the tree may have, where one preference fits into that; the rest refines its merges."""


def search(worker: Worker, units: int, overrides: list[str]) -> Found:
    """Search by `nested` with at most so many units, and deliver as the flow does: the settled merges first.

    Raises:
        BadInputError: the units are too few for one preference.
    """
    base = _study(worker, overrides)
    shares = _shares(worker.study, base, open_inputs(read_study(worker.study, base), worker.study.parent), units)
    study, settled = merged(worker, [*overrides, *shares])
    found = worker.drive(study)
    new = [row for row in found.delivered if not (settled == row).all(axis=1).any()]
    return replace(found, delivered=np.vstack([settled, *new])[: study.config.budget.front])


def merged(worker: Worker, overrides: list[str]) -> tuple[Study, Array]:
    """Search along the tree; return the study with all that was measured, and what was chosen: shape [n, k]."""
    root = worker.study.parent
    config = read_study(worker.study, _study(worker, overrides))
    store = Store("memory://nested")  # a run has a folder; nothing is written to it here
    frozen = freeze(config, root, open_inputs(config, root))
    run = Run(RunFolder(store, "search"), EvaluationLedger(store), frozen)
    with one_thread():
        return run.study, _merge(run, worker)


def _study(worker: Worker, overrides: list[str]) -> list[str]:
    return [*worker.overrides, "method=nested", "budget.evaluations=null", *overrides]


def _merge(run: Run, worker: Worker) -> Array:
    """Search the tree and return what the preferences chose of its root, measured."""
    _tell(run, worker, unmerged_question(run.config))
    tree = TreeSearch(run)
    while nodes := tree.next():
        searches = [NodeSearch(run, node) for node in nodes]
        for node in searches:
            while (question := node.study.ask()) is not None:
                lifted = lift_question(question, node.merge.axes)
                node.tell(question, worker.measure(lifted, node.study.brief.names))
        tree.take(searches)
    _tell(run, worker, Question(SETTLED, "search", tree.settled))
    return tree.settled


def _tell(run: Run, worker: Worker, question: Question) -> None:
    run.study.adopt(question)
    run.study.tell(question, worker.measure(question))


def _shares(study: Path, overrides: list[str], inputs: Inputs, units: int) -> list[str]:
    """Cut the budget up: as many preferences as there is room for, and the rest to refine."""

    def cost(preferences: int) -> int:
        """Return how often one objective is measured at most before the refinement."""
        config: StudyConfig = read_study(study, [*overrides, f"nested.preferences={preferences}"])
        tree = tree_of(config, inputs.preflight.cosines) or balanced([expert.name for expert in config.experts])
        often = runs(tree, owners_of(config), preferences_of(config))
        brief = Brief(config, inputs.objectives, inputs.search_items, inputs.held_out_items)
        nodes = {node.name: study_of(brief, node) for node in tree.nodes}
        once = {name: node.config.evaluations * len(node.objectives) for name, node in nodes.items()}
        unmerged, settled = 2 * len(config.experts), preferences * len(config.objectives)
        return unmerged + settled + sum(often[name] * cost for name, cost in once.items())

    m = len(inputs.objectives)
    preferences = max((n for n in range(1, PREFERENCES + 1) if cost(n) <= NODES * units * m), default=1)
    rest = units - -(-cost(preferences) // m)
    if rest < 0:
        raise BadInputError(f"{units} units are too few for a tree with one preference")
    return [f"nested.preferences={preferences}", f"nested.refine={rest}"]
