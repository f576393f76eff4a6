"""What a node of a merge tree starts from: the unmerged models, which the run knows by all their items."""

import numpy as np
import pytest

from mapmerge.nested.plan import NodeRun
from mapmerge.nested.tree import join
from tasks.node import NodeSearch, study_of
from tasks.pool import Work
from tasks.prepare import prepare
from tasks.serial import SerialPool
from tasks.tree import TreeSearch, unmerged_question

EXPERTS = ["e0", "e1", "e2", "e3"]
P = {2: 6, 3: 10, 4: 15}
"""Parameters of a quadratic, by the children of a node."""


@pytest.fixture
def open_run(probe_family, tmp_path):
    """Prepare a nested run of four experts, each with an objective of 64 items; nothing is measured."""

    def opened(*overrides, **trouble):
        peaks = zip(EXPERTS, (0.6 * np.eye(4)).tolist(), strict=True)
        study = probe_family(k=4, objectives={name: {"peak": peak, **trouble.get(name, {})} for name, peak in peaks})
        return prepare.fn(str(study), str(tmp_path / "out"), "one", ["method=nested", *overrides])

    return opened


def measured(run):
    """Measure the unmerged models, and return the nodes that can be searched then."""
    question = unmerged_question(run.config)
    run.study.adopt(question)
    pool = SerialPool(run.blueprint)
    work = [
        Work(row, "search", dict(wanted)) for row, wanted in zip(question.coefficients, question.wanted, strict=True)
    ]
    run.study.tell(question, [kept for done in pool.run(work) for kept in run.keep(done)])
    return TreeSearch(run).next()


def units(run, *children):
    return study_of(run.study.brief, join(list(children), EXPERTS)).config.evaluations


def test_the_base_is_a_candidate_that_is_measured(open_run):
    run = open_run()
    assert units(run, "e0", "e1") == P[2] - 1
    assert units(run, *EXPERTS) == P[4] - 1
    assert units(run, join(["e0", "e1"], EXPERTS), join(["e2", "e3"], EXPERTS)) == P[2] - 1
    assert units(run, join(["e0", "e1"], EXPERTS), "e2") == P[2] - 1


def test_so_is_an_expert_on_objectives_that_are_all_its_own_or_nobodys(open_run):
    run = open_run("objectives.1.expert=e0", "objectives.2.expert=null", "objectives.3.expert=null")
    assert units(run, "e0", "e1") == P[2] - 2  # e0 and e1 look at the two objectives of e0
    assert units(run, "e0", "e1", "e2", "e3") == P[4] - 2


@pytest.mark.parametrize("overrides", [["nested.evaluations=9"], ["nested.evaluations=9", "sampling.items=20"]])
def test_a_budget_that_is_given_is_spent(open_run, overrides):
    assert units(open_run(*overrides), "e0", "e1") == 9


@pytest.mark.parametrize(("overrides", "whole"), [(["nested.method=map"], 2 * P[2]), (["sampling.items=all"], P[2])])
def test_nodes_that_measure_whole_sets_ask_for_everything(open_run, overrides, whole):
    run = open_run(*overrides)
    assert units(run, "e0", "e1") == whole
    search = NodeSearch(run, measured(run)[0])
    assert search.study.history.before == ()


def test_a_node_knows_what_the_run_knows_of_its_corners(open_run):
    run = open_run("nested.fan_in=2")
    first, _ = measured(run)
    search = NodeSearch(run, first)
    seen = search.study.history.observations
    np.testing.assert_array_equal(seen.coefficients, [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(seen.items, [[64, 64], [64, 0], [0, 64]])
    whole = run.study.history.observations
    base = (whole.coefficients == 0.0).all(axis=1)
    np.testing.assert_array_equal(seen.scores[0], whole.scores[base][0, :2])
    assert search.study.brief.spent(search.study.history) == 0
    assert search.answered == ()


def test_a_node_above_others_knows_the_base(open_run):
    run = open_run("nested.fan_in=2")
    measured(run)
    pairs = [join(EXPERTS[:2], EXPERTS), join(EXPERTS[2:], EXPERTS)]
    chosen = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
    search = NodeSearch(run, NodeRun(join(pairs, EXPERTS), chosen, (0,)))
    seen = search.study.history.observations
    np.testing.assert_array_equal(seen.coefficients, [[0.0, 0.0]])
    np.testing.assert_array_equal(seen.items, [[64] * 4])


def test_what_could_not_be_measured_is_not_known(open_run):
    nobodys = ["objectives.1.expert=null", "compute.max_failed_fraction=0.9"]
    run = open_run(*nobodys, e1={"trouble": "error", "above": 0.5})  # for merges with much of the first expert
    (root,) = measured(run)
    seen = NodeSearch(run, root).study.history.observations
    np.testing.assert_array_equal(seen.coefficients, np.vstack([np.zeros(4), np.eye(4)]))
    np.testing.assert_array_equal(seen.items[:2] > 0, [[True] * 4, [True, False, False, False]])
    assert seen.items[2, 1] == 64
