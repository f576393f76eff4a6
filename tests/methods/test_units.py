"""Units where an objective says nothing: constant, perfect or hopeless for every model, or so but for noise."""

import numpy as np
import pytest

from mapmerge.answer.result import answer
from mapmerge.methods.units import search_units
from mapmerge.records import Metric

OPTIONS = {
    "map": {},
    "map on samples": {"method": "map", "sampling": {"items": 20}},
    "adaptive": {"adaptive": {"surrogate": "quadratic", "rounds": 2}},
    "bayesian": {},
    "direct": {},
    "nsga2": {},
}


def finished(world, label, budget=12):
    sections = {"method": label, "budget": {"evaluations": budget, "front": 5}, **OPTIONS[label]}
    study = world.study(**sections)
    surfaces, final = world.finish(study)
    return study, final, answer(study, surfaces, final)


@pytest.fixture
def dull_world(make_world):
    """A world whose first objective is the same for every model."""

    def make(value):
        world = make_world()
        score = world.score
        world.score = lambda row, index: value if index == 0 else score(row, index)
        return world

    return make


@pytest.mark.parametrize("label", OPTIONS)
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_run_with_an_objective_that_is_the_same_for_all_delivers_the_front_of_the_other(dull_world, label, value):
    world = dull_world(value)
    study, _, result = finished(world, label)
    search = search_units(study.brief, study.history, study.fit())
    assert search.spread[0] == pytest.approx(1.0)
    assert search.ideal[0] == pytest.approx(value, abs=0.1)
    delivered = result["front"] + result["dominated"]
    losses = [point["measured"]["y"] for point in delivered]
    seen = study.history.observations
    truth = [world.score(row, 1) for row in seen.coefficients]
    assert min(losses) <= min(truth) * 1.1 + 0.01
    assert all(point["measured"]["z"] == pytest.approx(value) for point in delivered)
    volume = result["hypervolume"]
    assert volume["value"] > 0.9
    assert volume["reference_point"]["z"] == pytest.approx(value - 1.0)
    assert volume["ideal_point"]["z"] == pytest.approx(value)
    (said,) = [warning for warning in result["warnings"] if "does not tell the unmerged models apart" in warning]
    assert "objective 'z'" in said
    assert "it gains in the others" in said
    assert result["baselines"]["best_scalar"]["scalar"] in (0.25, 0.5)
    assert [step["hypervolume"] for step in result["history"]][-1] > 0.5


@pytest.mark.parametrize("label", ["adaptive", "bayesian"])
def test_models_that_are_the_same_but_for_the_items_they_were_seen_on_span_no_units(dull_world, label):
    study, _, _ = finished(dull_world(0.7), label)
    scores = study.history.observations.scores[:, 0]
    assert scores.max() - scores.min() > 0.05  # samples of the items scatter
    assert search_units(study.brief, study.history, study.fit()).spread[0] == pytest.approx(1.0)


def test_an_objective_that_is_perfect_for_unmerged_models_only_counts_what_merges_lose(make_world):
    world = make_world()
    score = world.score
    corners = ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
    world.score = lambda row, index: 1.0 if index == 0 and row.tolist() in corners else score(row, index)
    study, _, result = finished(world, "map")
    assert search_units(study.brief, study.history, study.fit()).reference[0] == pytest.approx(0.0)
    assert result["hypervolume"]["value"] > 0.0


def test_a_single_objective_that_never_changes(make_world, metrics):
    world = make_world(metrics=(metrics["accuracy"],))
    world.score = lambda row, index: 1.0
    _, _, result = finished(world, "map")
    (said,) = [warning for warning in result["warnings"] if "unmerged models apart" in warning]
    assert "others" not in said
    assert len(result["front"]) == 1


def test_units_of_objectives_that_differ_are_those_of_the_unmerged_models(make_world):
    study, _, result = finished(make_world(), "map")
    units = search_units(study.brief, study.history, study.fit())
    unmerged = np.array([[make_world().score(row, index) for index in range(2)] for row in np.eye(3, 2, -1)])
    gains = unmerged * study.signs
    np.testing.assert_allclose(units.reference, gains.min(axis=0), atol=0.05)
    np.testing.assert_allclose(units.ideal, gains.max(axis=0), atol=0.05)
    assert not any("unmerged models apart" in warning for warning in result["warnings"])


def test_a_reward_in_tiny_units_is_not_taken_for_constant(make_world):
    world = make_world(metrics=(Metric("reward", None, None, False), Metric("reward", None, None, False)))
    score = world.score
    world.score = lambda row, index: 1e-6 * score(row, index)
    study, _, result = finished(world, "map")
    assert search_units(study.brief, study.history, study.fit()).spread.max() < 1e-4
    assert not any("unmerged models apart" in warning for warning in result["warnings"])
