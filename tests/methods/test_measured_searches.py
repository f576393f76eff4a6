"""Searches without surrogates: `random`, `direct` and `nsga2`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.optimize import minimize

from mapmerge.config.sections import Budget
from mapmerge.fronts.dominance import nondominated
from mapmerge.history import History
from mapmerge.methods.protocol import Brief
from mapmerge.methods.registry import METHODS
from mapmerge.records import Question

NAMES = ["random", "direct", "nsga2"]


def same(one: Question, other: Question) -> bool:
    def items(question):
        return [
            {name: None if sample is None else sample.items.tolist() for name, sample in wanted.items()}
            for wanted in question.wanted or ()
        ]

    return (
        one.name == other.name
        and one.coefficients.tobytes() == other.coefficients.tobytes()
        and items(one) == items(other)
    )


def search(world, study) -> None:
    while (question := study.ask()) is not None:
        study.tell(question, world.measure(question))


def asked(study):
    return np.vstack([done.question.coefficients for done in study.history.rounds])


def unlucky(row, name, split):
    """One candidate of seven cannot be measured on y, the base among them."""
    return name == "y" and int(row.sum() * 1e6) % 7 == 0


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    k=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    budget=st.integers(2, 50),
    items=st.sampled_from(["auto", 7, 30, 1000]),
    kind=st.sampled_from(["dirichlet-mass", "sobol", "uniform-box"]),
    fails=st.booleans(),
)
def test_the_budget_is_spent_to_the_end_inside_the_region(make_world, name, k, seed, budget, items, kind, fails):
    world = make_world(k=k, **({"fails": unlucky} if fails else {}))
    sections = {
        "method": name,
        "seed": seed,
        "budget": {"evaluations": budget, "front": 9},
        "sampling": {"items": items},
        "design": {"kind": kind},
        "compute": {"max_failed_fraction": 1.0},
    }
    study, twin = world.study(**sections), world.study(**sections)
    brief, method = study.brief, study.method
    while (question := study.ask()) is not None:
        assert same(question, method.ask(study.history, ()))
        assert same(question, twin.ask())
        answers = world.measure(question)
        study.tell(question, answers)
        twin.tell(question, answers[::-1])
    each = sum(brief.items) if items == "auto" else sum(min(items, size) for size in brief.items)
    total = brief.budget // each
    rows = asked(study)
    assert len(rows) == total
    assert brief.spent(study.history) == total * each
    assert len(np.unique(rows.round(9), axis=0)) == total
    design = brief.first(1)
    assert design.region.contains(rows[k + 2 :]).all()
    assert [done.question.blind for done in study.history.rounds] == [True] + [False] * (len(study.history) - 1)
    if study.history.observations.whole.sum() < 2:
        return
    surfaces = study.fit()
    delivered = study.predict(surfaces)
    assert 1 <= len(delivered) <= 9
    known = {row.tobytes() for row in study.history.observations.coefficients[study.history.observations.whole]}
    assert {row.tobytes() for row in delivered} <= known
    assert delivered.tobytes() == twin.predict(twin.fit()).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_single_candidate_is_asked_for_and_delivered(make_world, name):
    world = make_world()
    study = world.study(method=name)
    config = study.config.model_copy(update={"budget": Budget(evaluations=1)})
    brief = Brief(config, study.objectives, study.items, study.held_out)
    method = METHODS[name](brief)
    question = method.ask(History(brief.names), ())
    assert question.coefficients.tolist() == [[0.0, 0.0]]
    history = History(brief.names).told(question, world.measure(question))
    assert method.ask(history, ()) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_two_candidates_are_enough_for_surfaces(make_world, name, k):
    world = make_world(k=k)
    study = world.study(method=name, budget={"evaluations": 2})
    search(world, study)
    assert np.isfinite(study.fit().scores(np.eye(k))).all()
    assert len(study.predict(study.fit())) >= 1


@pytest.mark.parametrize("name", NAMES)
def test_what_failed_is_neither_asked_again_nor_fitted_nor_delivered(make_world, name):
    world = make_world(k=3, fails=unlucky)
    study = world.study(method=name, budget={"evaluations": 120}, compute={"max_failed_fraction": 1.0})
    search(world, study)
    failed = {each.coefficients.tobytes() for each in study.history.evaluations if each.error is not None}
    assert len(failed) > 3
    assert len({row.tobytes() for row in asked(study)}) == 120
    whole, partial = study.fit().surrogates
    assert len(whole.measured) == 120
    assert len(partial.measured) == 120 - len(failed)
    assert not failed & {row.tobytes() for row in study.predict(study.fit())}


@pytest.mark.parametrize("name", NAMES)
def test_a_search_in_which_all_fails_ends_too(make_world, name):
    world = make_world(fails=lambda row, name, split: True)
    study = world.study(method=name, budget={"evaluations": 90}, compute={"max_failed_fraction": 1.0})
    search(world, study)
    assert len(np.unique(asked(study), axis=0)) == 90


@pytest.mark.parametrize("name", NAMES)
def test_what_is_delivered_is_the_best_that_was_measured(make_world, name):
    world = make_world()
    study = world.study(method=name, budget={"evaluations": 60, "front": 60})
    _, final = world.finish(study)
    seen = study.history.observations
    gains = seen.scores * study.signs
    delivered = [np.flatnonzero((seen.coefficients == row).all(axis=1))[0] for row in final.sets["delivered"]]
    assert nondominated(gains)[delivered].all()


@pytest.mark.parametrize("name", ["direct", "nsga2"])
def test_looking_at_scores_pays(make_world, name, metrics):
    world = make_world(k=4, metrics=[metrics["loss"]] * 2)

    def mean_loss(study):
        search(world, study)
        truth = [[world.score(row, index) for index in range(2)] for row in study.predict(study.fit())]
        return np.mean(truth, axis=1).min()

    budget = {"evaluations": 300}
    spread, chosen = (mean_loss(world.study(method=method, budget=budget)) for method in ("random", name))
    assert chosen < spread


@pytest.mark.parametrize(("name", "sizes"), [("random", [70]), ("direct", [35, 20, 15]), ("nsga2", [20, 20, 20, 10])])
def test_rounds(make_world, name, sizes):
    world = make_world()
    study = world.study(method=name, budget={"evaluations": 70})
    search(world, study)
    rounds = [done.question for done in study.history.rounds]
    assert [len(question.coefficients) for question in rounds] == sizes
    assert [question.name for question in rounds] == ["design", *(f"round-{n}" for n in range(1, len(sizes)))]


@pytest.mark.parametrize(("name", "sizes"), [("direct", [45, 20, 5]), ("nsga2", [45, 25])])
def test_the_study_may_say_how_many_candidates_come_first(make_world, name, sizes):
    world = make_world()
    study = world.study(method=name, budget={"evaluations": 70}, design={"points": 45})
    search(world, study)
    assert [len(done.question.coefficients) for done in study.history.rounds] == sizes


def test_direct_search_ends_where_nothing_is_new(make_world):
    world = make_world()
    narrow = {"kind": "sobol", "lower": 0.25, "upper": 0.25 + 1e-10}
    study = world.study(method="direct", budget={"evaluations": 30}, design=narrow)
    search(world, study)  # the region is as good as a point
    assert len(study.history) == 1


def test_nsga2_rebuilt_from_its_history_is_a_run_that_was_never_interrupted(make_world):
    world = make_world(k=3)
    study = world.study(method="nsga2", budget={"evaluations": 120}, seed=5)
    search(world, study)
    rounds = [done.question.coefficients for done in study.history.rounds]
    assert [len(rows) for rows in rounds] == [24] * 5
    region = study.brief.first(1).region

    class Direct(Problem):
        def __init__(self):
            super().__init__(3, 2, xl=region.lower, xu=region.upper)

        def _evaluate(self, x, out, *args, **kwargs):
            question = Question("any", "search", x)
            history = History(study.brief.names).told(question, world.measure(question))
            out["F"] = -history.observations.scores * study.signs

    class Back(Repair):
        def _do(self, problem, x, **kwargs):
            return region.project(x)

    seed = int(study.brief.rng("nsga2").integers(2**31))
    algorithm = NSGA2(pop_size=24, sampling=rounds[0], repair=Back())
    run = minimize(Direct(), algorithm, ("n_gen", 5), seed=seed, save_history=True)
    for mine, theirs in zip(rounds, run.history, strict=True):
        assert mine.tobytes() == theirs.off.get("X").tobytes()
