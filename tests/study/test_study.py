"""A study asks, is told, and finds; everything here is arithmetic, no model is involved."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import ConfigError, FailedRunError
from mapmerge.fronts.dominance import nondominated
from mapmerge.records import Question


def bytes_of(question: Question) -> tuple[str, str, bytes]:
    return question.name, question.split, question.coefficients.tobytes()


def only(objective: str, *rows: int):
    """Let some candidates of the design fail on one objective: `rows` count the candidates as they are asked."""
    seen: dict[bytes, int] = {}

    def fails(coefficients, name, split):
        place = seen.setdefault(coefficients.tobytes(), len(seen))
        return name == objective and split == "search" and place in rows

    return fails


# Asking


@settings(max_examples=15, deadline=None)
@given(
    k=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(["dirichlet-mass", "sobol", "uniform-box"]),
    order=st.randoms(use_true_random=False),
)
def test_the_same_answers_give_the_same_questions(make_world, k, seed, kind, order):
    world = make_world(k=k, rough=frozenset({"y"}))
    p = (k + 1) * (k + 2) // 2
    sections = {
        "seed": seed,
        "design": {"kind": kind, "points": p + 2},
        "budget": {"evaluations": 2 * p + 5},
        "gate": {"min_r2": 1.0},  # that no rough objective passes by luck: there is a round beyond the design
    }
    first, second = world.study(**sections), world.study(**sections)
    rounds = 0
    while (question := first.ask()) is not None:
        again = second.ask()
        assert bytes_of(again) == bytes_of(question)
        answers = world.measure(question)
        first.tell(question, answers)
        second.tell(again, order.sample(answers, len(answers)))  # answers come in the order in which actors finish
        rounds += 1
    assert second.ask() is None
    assert rounds > 1
    assert first.fit().to_json() == second.fit().to_json()
    assert bytes_of(first.ask_scalars()) == bytes_of(second.ask_scalars())


def test_the_same_answers_give_the_same_front(make_world):
    world = make_world()
    shuffled = make_world()
    measure = shuffled.measure
    shuffled.measure = lambda question: random.Random(1).sample(answers := measure(question), len(answers))
    sections = {"search": {"kind": "union"}}
    (_, one), (_, other) = world.finish(world.study(**sections)), shuffled.finish(shuffled.study(**sections))
    assert one.scalar == other.scalar
    assert {name: rows.tobytes() for name, rows in one.sets.items()} == {
        name: rows.tobytes() for name, rows in other.sets.items()
    }


def test_another_seed_asks_about_other_candidates(make_world):
    world = make_world()
    assert bytes_of(world.study(seed=0).ask()) != bytes_of(world.study(seed=1).ask())


def test_the_default_budget_is_twice_the_parameters_and_is_asked_at_once(make_world):
    world = make_world(k=3)
    study = world.study()
    question = study.ask()
    assert question.name == "design"
    assert question.coefficients.shape == (20, 3)
    study.tell(question, world.measure(question))
    assert study.ask() is None


def test_a_trusted_surrogate_leaves_the_rest_of_the_budget(make_world):
    world = make_world()
    study = world.study(design={"points": 10}, budget={"evaluations": 40})
    world.answer(study)
    assert all(verdict.passed for verdict in study.gate(study.fit()))
    assert study.ask() is None


def test_a_failed_gate_asks_for_more_until_the_budget_is_spent(make_world):
    world = make_world(rough=frozenset({"z"}))
    study = world.study(design={"points": 7}, budget={"evaluations": 17})
    sizes = {}
    while (question := study.ask()) is not None:
        sizes[question.name] = len(question.coefficients)
        if question.name != "design":
            assert study.fit().region.contains(question.coefficients, 1e-9).all()
        study.tell(question, world.measure(question))
    assert sizes == {"design": 7, "gate-1": 4, "gate-2": 4, "gate-3": 2}
    verdicts = dict(zip("zy", study.gate(study.fit()), strict=True))
    assert verdicts["y"].passed
    assert "explains too little" in verdicts["z"].reasons[0]
    assert len(study.history.observations.coefficients) == 17


def test_a_design_that_cannot_tell_the_parameters_apart_is_refused_before_anything_is_measured(make_world):
    with pytest.raises(ConfigError, match=r"determine \d of 6 parameters"):
        make_world().study(design={"kind": "sobol", "lower": 0.0, "upper": 1e-9})


# Being told


def test_a_round_may_lose_as_many_as_allowed_but_not_one_more(make_world):
    allowed = {"compute": {"max_failed_fraction": 0.125}}
    world = make_world(fails=only("y", 3, 4, 5))  # 3 of 24 evaluations
    study = world.study(**allowed)
    world.answer(study)

    world = make_world(fails=only("y", 3, 4, 5, 6))
    study = world.study(**allowed)
    with pytest.raises(FailedRunError, match=r"'design': 4 of 24 .*max_failed_fraction = 0.125 .*RuntimeError: no"):
        world.answer(study)
    assert study.rounds == []


def test_failed_evaluations_are_left_out_of_fits_never_counted_as_a_score(make_world):
    world = make_world(fails=only("y", 2, 7))
    study = world.study()
    world.answer(study)
    whole, partial = study.fit().surrogates
    assert len(whole.measured) == 12
    assert len(partial.measured) == 10
    rows = study.rounds[0].question.coefficients
    for surrogate in (whole, partial):
        assert np.isfinite(surrogate.measured).all()
        assert np.isfinite(surrogate.predict(rows)).all()
    truth = [world.score(row, 1) for row in rows]
    assert partial.predict(rows) == pytest.approx(truth, abs=0.1)
    seen = study.history.observations
    assert seen.whole.sum() == 10
    assert seen.failed.sum() == 2
    assert (np.isnan(seen.scores) == seen.failed).all()
    assert study.hypervolume() > 0


def test_units_survive_the_failure_of_an_expert(make_world):
    world = make_world(fails=lambda row, name, split: name == "z" and row.tolist() == [1.0, 0.0])
    study = world.study()
    _, final = world.finish(study)
    assert len(final.sets["delivered"]) > 0
    assert np.isfinite(study.normalisation().ideal).all()


def test_telling_a_question_again_takes_the_place_of_what_was_told(make_world):
    world = make_world()
    study, once = world.study(), world.study()
    question = study.ask()
    for _ in range(2):  # a task that is retried tells twice
        study.tell(question, world.measure(question))
    world.answer(once)
    assert study.ask() is None
    assert study.fit().to_json() == once.fit().to_json()


@pytest.mark.parametrize("lost", ["zy", "y"])
def test_a_study_that_can_measure_nothing_fails_in_words(make_world, lost):
    world = make_world(fails=lambda row, name, split: name in lost)
    study = world.study(compute={"max_failed_fraction": 1})
    world.answer(study)
    with pytest.raises(FailedRunError, match="none of 12 candidates could be measured on every objective"):
        study.hypervolume()
    with pytest.raises(FailedRunError, match="needs two measured candidates, there is none"):
        study.fit()


# Finding


def test_the_front_lies_inside_the_searched_region_and_beats_the_experts(make_world):
    world = make_world()
    study = world.study(budget={"front": 7})
    surfaces, final = world.finish(study)
    delivered = final.sets["delivered"]
    assert len(delivered) <= 7
    assert surfaces.region.contains(delivered, 1e-9).all()
    scores = surfaces.scores(delivered) * study.signs
    assert nondominated(scores).all()
    # What a quadratic with the right link can learn exactly, it does: predictions are the truth.
    truth = np.array([[world.score(row, index) for index in range(2)] for row in delivered])
    assert surfaces.scores(delivered) == pytest.approx(truth, abs=0.08)


def test_an_objective_to_be_minimised_is_minimised(make_world, metrics):
    world = make_world(metrics=(metrics["loss"], metrics["loss"]))
    study = world.study()
    surfaces, final = world.finish(study)
    assert study.signs.tolist() == [-1, -1]
    losses = surfaces.scores(final.sets["delivered"])
    base = surfaces.scores(np.zeros((1, 2)))
    assert (losses.min(axis=0) < 0.5 * base).all()
    assert (study.normalisation().reference < study.normalisation().ideal).all()
    assert (study.normalisation().ideal <= 0).all()  # gains of losses


@pytest.mark.parametrize("count", [1, 2])
def test_one_expert_is_enough(make_world, metrics, count):
    world = make_world(k=1, metrics=(metrics["accuracy"], metrics["loss"])[:count])
    study = world.study()
    assert len(world.study().ask().coefficients) == 6
    _, final = world.finish(study)
    assert final.sets["uniform"].tolist() == final.sets["experts"].tolist() == [[1.0]]
    assert final.sets["delivered"].shape[1] == 1
    if count == 1:  # a single objective has a single best model
        assert final.sets["delivered"].tolist() == [pytest.approx([0.9], abs=0.1)]


def test_a_family_without_any_gain_still_gets_its_answer(make_world):
    """Where every merge is worse than the worst unmerged model, what is not dominated is delivered all the same."""
    world = make_world()
    anchors = {(0.0, 0.0): (0.5, 1.0), (1.0, 0.0): (0.9, 1.0), (0.0, 1.0): (0.5, 0.4)}
    world.score = lambda row, index: anchors.get(tuple(row), (0.2, 3.0))[index]
    study = world.study()
    world.search(study)
    kept = {tuple(row) for row in study.random_search()}
    assert kept == {(1.0, 0.0), (0.0, 1.0)}
    assert len(study.predict(study.fit())) >= 1


def test_the_best_scalar_is_the_one_with_the_best_mean_in_common_units(make_world):
    world = make_world()
    study = world.study(baselines={"scalars": [0.0, 0.45, 3.0]})
    world.search(study)
    scalar, merge = study.best_scalar()
    assert scalar == 0.45
    assert merge.tolist() == [0.45, 0.45]


def test_a_scalar_that_could_not_be_measured_is_not_the_best(make_world):
    world = make_world(fails=lambda row, name, split: name == "y" and row.tolist() == [0.45, 0.45])
    study = world.study(baselines={"scalars": [0.45, 0.25]}, compute={"max_failed_fraction": 0.5})
    world.search(study)
    assert study.best_scalar()[0] == 0.25


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**16), front=st.integers(1, 9))
def test_random_search_keeps_the_best_of_the_candidates_that_were_measured(make_world, seed, front):
    world = make_world()
    random_state = np.random.default_rng(seed)
    table: dict[tuple[bytes, int], float] = {}
    world.score = lambda row, index: table.setdefault((row.tobytes(), index), random_state.uniform(0.1, 0.9))
    study = world.study(seed=seed, budget={"front": front})
    world.answer(study)
    kept = study.random_search()
    assert 1 <= len(kept) <= front
    seen = study.history.observations
    rows = seen.coefficients.tolist()
    assert nondominated(seen.scores * study.signs)[[rows.index(row) for row in kept.tolist()]].all()


def test_scalars_share_one_sample_twice_as_large_as_a_candidate_sees(make_world):
    world = make_world()
    study = world.study(sampling={"items": 10}, baselines={"scalars": [0.25, 0.45, 0.8]})
    first = study.ask()
    scalars = study.ask_scalars()
    assert {len(sample.items) for wanted in first.wanted for sample in wanted.values()} == {10}
    assert all(wanted is scalars.wanted[0] for wanted in scalars.wanted)
    assert {len(sample.items) for sample in scalars.wanted[0].values()} == {20}


def test_scalars_see_all_items_where_candidates_do(make_world):
    study = make_world().study()
    study.ask()
    assert study.ask_scalars().wanted is None
