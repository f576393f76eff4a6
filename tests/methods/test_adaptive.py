"""Rounds near the predicted front."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.designs.region import Region
from mapmerge.errors import FailedRunError
from mapmerge.fronts.indicators import Normalisation

QUICK = {"method": "adaptive", "adaptive": {"surrogate": "quadratic"}}


def search(world, study):
    """Answer every question and return them."""
    asked = []
    while (question := study.ask()) is not None:
        study.tell(question, world.measure(question))
        asked.append(question)
    return asked


def bytes_of(question):
    samples = [
        b"all" if sample is None else sample.items.tobytes()
        for wanted in question.wanted or ()
        for sample in wanted.values()
    ]
    return question.name, question.coefficients.tobytes(), *samples


@settings(max_examples=6, deadline=None)
@given(
    k=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    units=st.integers(4, 12),
    items=st.sampled_from(["auto", "all", 7]),
    race=st.booleans(),
    rounds=st.integers(1, 2),
)
def test_the_budget_is_never_exceeded_and_the_same_answers_give_the_same_questions(
    make_world, k, seed, units, items, race, rounds
):
    world = make_world(k=k)
    sections = {
        **QUICK,
        "seed": seed,
        "budget": {"evaluations": units},
        "sampling": {"items": items},
        "adaptive": {"surrogate": "quadratic", "race": race, "rounds": rounds},
    }
    study, twin = world.study(**sections), world.study(**sections)
    asked = search(world, study)
    assert [bytes_of(question) for question in search(world, twin)] == [bytes_of(question) for question in asked]
    brief = study.brief
    spent = brief.spent(study.history)
    assert spent <= brief.budget
    assert brief.budget - spent < 2.5 * brief.unit  # what is left is less than a candidate
    names = [question.name for question in asked]
    assert names[0] == "design"
    assert len(set(names)) == len(names)
    for question in asked:
        assert Region.from_json(question.region).contains(question.coefficients[k + 2 :], 1e-9).all()


def test_resuming_in_the_middle_asks_the_same_next_question(make_world):
    world = make_world()
    sections = {**QUICK, "budget": {"evaluations": 20}}
    whole = world.study(**sections)
    asked = search(world, whole)
    resumed = world.study(**sections)
    for question in asked[:3]:
        assert bytes_of(resumed.ask()) == bytes_of(question)
        resumed.tell(question, world.measure(question))
    assert bytes_of(resumed.ask()) == bytes_of(asked[3])


def test_every_candidate_sees_its_own_items_and_harder_strata_follow(make_world):
    world = make_world()
    study = world.study(**QUICK, budget={"evaluations": 20})
    design, later = search(world, study)[:2]
    drawn = [wanted["z"].items.tobytes() for wanted in design.wanted]
    assert len(set(drawn)) > 0.9 * len(drawn)
    assert all(len(wanted["z"].shares) == 1 for wanted in design.wanted)
    assert all(len(wanted["z"].shares) > 1 for wanted in later.wanted)


def test_rounds_come_nearer_to_the_front_than_the_design(make_world):
    world = make_world(k=3)
    study = world.study(**QUICK, budget={"evaluations": 25})
    asked = search(world, study)

    def worth(question):
        scores = np.array([[world.score(row, index) for index in range(2)] for row in question.coefficients])
        unit = Normalisation.of(np.array([[world.score(row, i) for i in range(2)] for row in design_anchors]) * signs)
        return unit.apply(scores * signs).sum(axis=1).mean()

    signs = study.signs
    design_anchors = asked[0].coefficients[:4]
    assert worth(asked[-1]) > worth(asked[0]) + 0.2


def test_the_region_grows_where_the_front_presses_on_its_edge(make_world):
    world = make_world()
    narrow = {"design": {"mass": (0.1, 0.6)}, "budget": {"evaluations": 25}}
    grown = search(world, world.study(**QUICK, **narrow))
    assert grown[-1].region["mass"][1] > 0.6
    still = {"surrogate": "quadratic", "grow": False}
    fixed = search(world, world.study(method="adaptive", adaptive=still, **narrow))
    assert {tuple(question.region["mass"]) for question in fixed} == {(0.0, 0.6)}


def test_bounds_that_the_study_gives_are_kept(make_world):
    world = make_world()
    bounded = {"design": {"kind": "sobol", "upper": 0.5}, "budget": {"evaluations": 15}}
    design, *rounds = search(world, world.study(**QUICK, **bounded))
    assert design.coefficients[4:].max() <= 0.5  # behind the anchors
    assert max(question.coefficients.max() for question in rounds) <= 0.5 + 1e-12


def test_it_stops_when_rounds_gain_nothing(make_world):
    world = make_world()
    lavish = {"surrogate": "quadratic", "rounds": 6}
    budget = {"evaluations": 40}
    whole = world.study(method="adaptive", adaptive=lavish, budget=budget)
    short = world.study(method="adaptive", adaptive={**lavish, "min_gain": 0.02}, budget=budget)
    everything, few = search(world, whole), search(world, short)
    assert 3 <= len(few) < len(everything)  # never before two rounds have been seen
    assert [bytes_of(question) for question in few] == [bytes_of(question) for question in everything[: len(few)]]


def test_a_race_spends_fewer_items_on_what_is_surely_dominated(make_world):
    world = make_world(k=3)
    study = world.study(
        method="adaptive", adaptive={"surrogate": "quadratic", "race": True}, budget={"evaluations": 20}
    )
    asked = {question.name: question for question in search(world, study)}
    assert "round-1-rest" in asked
    first, rest = asked["round-1"], asked["round-1-rest"]
    assert {row.tobytes() for row in rest.coefficients} <= {row.tobytes() for row in first.coefficients}
    twice = study.history.observations
    row = next(i for i, c in enumerate(twice.coefficients) if c.tobytes() == rest.coefficients[0].tobytes())
    assert twice.items[row, 0] > len(first.wanted[0]["z"].items)  # both halves count


def test_candidates_that_fail_are_avoided_and_never_scored(make_world):
    world = make_world(fails=lambda row, name, split: split == "search" and row[0] > 1.0)
    study = world.study(**QUICK, budget={"evaluations": 20}, compute={"max_failed_fraction": 0.5})
    asked = search(world, study)
    seen = study.history.observations
    assert np.isnan(seen.scores[seen.failed]).all()
    early = (asked[0].coefficients[:, 0] > 1.0).mean()
    late = np.mean([(question.coefficients[:, 0] > 1.0).mean() for question in asked[2:]])
    assert late < max(early, 0.05)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_objective_that_is_the_same_everywhere_is_no_obstacle(make_world, value):
    world = make_world()
    score = world.score
    world.score = lambda row, index: value if index == 0 else score(row, index)
    study = world.study(**QUICK, budget={"evaluations": 12, "front": 5})
    _, final = world.finish(study)
    assert 1 <= len(final.sets["delivered"]) <= 5


def test_an_objective_that_no_quadratic_follows_is_no_obstacle(make_world):
    world = make_world(rough=frozenset({"z"}))
    study = world.study(**QUICK, budget={"evaluations": 12, "front": 5})
    _, final = world.finish(study)
    assert 1 <= len(final.sets["delivered"]) <= 5


def test_nothing_measured_fails_in_words(make_world):
    world = make_world(fails=lambda row, name, split: split == "search")
    study = world.study(**QUICK, compute={"max_failed_fraction": 1})
    question = study.ask()
    study.tell(question, world.measure(question))
    with pytest.raises(FailedRunError, match="needs two measured candidates"):
        study.ask()


def test_a_saddle_is_climbed_to_the_edge_of_the_region(make_world):
    """An indefinite quadratic has no peak: its best candidates lie where the region ends."""
    world = make_world()
    score = world.score

    def saddle(row, index):
        bends = 4.0 * (row[0] - 0.5) ** 2 - 4.0 * (row[1] - 0.5) ** 2
        return 1.0 / (1.0 + np.exp(-bends)) if index == 0 else score(row, index)

    world.score = saddle
    options = {"surrogate": "quadratic", "grow": False}
    study = world.study(method="adaptive", adaptive=options, budget={"evaluations": 15, "front": 8})
    surfaces, final = world.finish(study)
    delivered = final.sets["delivered"]
    assert surfaces.region.contains(delivered, 1e-6).all()
    found = np.array([saddle(row, 0) for row in delivered])
    assert found.max() > 0.8  # 0.73 at the better expert


def test_the_same_candidate_asked_twice_is_one_observation(make_world):
    world = make_world()
    study = world.study(**QUICK, budget={"evaluations": 12})
    asked = search(world, study)
    rows = np.vstack([question.coefficients for question in asked])
    assert len(study.history.observations.coefficients) == len({row.tobytes() for row in rows})
