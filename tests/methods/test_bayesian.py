from itertools import pairwise

import numpy as np
import pytest
import torch

from mapmerge.errors import ConfigError
from mapmerge.study import Study

ALL = {"items": "all"}


def study(world, evaluations, *, overlap=1, batch=1, sampling=ALL, **sections) -> Study:
    return world.study(
        method="bayesian",
        budget={"evaluations": evaluations, "front": 5},
        bayesian={"overlap": overlap, "batch": batch},
        sampling=sampling,
        **sections,
    )


def search(world, study, *, youngest_first=False):
    """Answer everything that a study asks, in order or against it; return the questions."""
    questions = []
    while True:
        while (question := study.ask()) is not None:
            questions.append(question)
        if not study.pending:
            return questions
        answered = study.pending[-1 if youngest_first else 0]
        study.tell(answered, world.measure(answered))


def content(questions):
    """Return all that a question says, bit for bit."""
    return [
        (
            question.name,
            question.blind,
            question.coefficients.tobytes(),
            [
                {name: None if sample is None else sample.items.tolist() for name, sample in wanted.items()}
                for wanted in question.wanted or ()
            ],
        )
        for question in questions
    ]


def rows(questions):
    return np.vstack([question.coefficients for question in questions])


def nearest(coefficients):
    """Return the least distance between any two candidates."""
    apart = np.abs(coefficients[:, None] - coefficients).max(axis=2)
    return apart[np.triu_indices(len(coefficients), 1)].min()


@pytest.fixture(scope="module")
def overlapping(make_world):
    """The questions of one search with three out at a time, answered in the order asked."""
    world = make_world(2)
    told = study(world, 12, overlap=3)
    return world, told, search(world, told)


def test_the_budget_is_spent_to_the_last_candidate(overlapping):
    _, told, questions = overlapping
    assert [len(question.coefficients) for question in questions] == [4] + [1] * 8
    assert [question.blind for question in questions] == [True] * 3 + [False] * 6
    assert [question.name for question in questions[:3]] == ["design", "round-1", "round-2"]
    assert told.brief.spent(told.history) == told.brief.budget


def test_all_lies_in_the_region_and_nothing_is_asked_twice(overlapping):
    _, told, questions = overlapping
    assert told.brief.first(1).region.contains(rows(questions)).all()
    assert nearest(rows(questions)) > 1e-3


def test_the_order_in_which_outcomes_arrive_changes_nothing(overlapping):
    world, _, questions = overlapping
    assert content(search(world, study(world, 12, overlap=3), youngest_first=True)) == content(questions)


def test_asking_again_gives_the_same_question_and_leaves_no_trace(overlapping):
    _, told, questions = overlapping
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    history = told.history
    seen = type(history)(history.objectives, history.rounds[:4])
    again = [told.method.ask(seen, tuple(questions[4:6])) for _ in range(2)]
    assert content(again) == content(questions[6:7] * 2)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_pending_candidates_are_not_asked_about_again(overlapping):
    _, told, questions = overlapping
    history = told.history
    seen = type(history)(history.objectives, history.rounds[:3])
    alone = told.method.ask(seen, tuple(questions[3:5])).coefficients
    twin = told.method.ask(seen, (questions[3], type(questions[4])("round-4", "search", alone))).coefficients
    assert np.abs(twin - alone).max() > 1e-3


def test_it_finds_a_better_front_than_the_same_number_of_spread_candidates(overlapping, make_world):
    world, told, _ = overlapping
    random = world.study(method="random", budget={"evaluations": 12, "front": 5})
    search(world, random)
    for each in (told, random):
        scalars = each.ask_scalars()
        each.tell(scalars, world.measure(scalars))
    assert told.hypervolume() > random.hypervolume()


def test_it_delivers_points_of_its_region(overlapping):
    _, told, _ = overlapping
    delivered = told.predict(told.fit())
    assert 1 <= len(delivered) <= 5
    assert told.brief.first(1).region.contains(delivered).all()


def test_samples_of_items_are_fresh_for_every_candidate(make_world):
    world = make_world(1)
    told = study(world, 3, batch=2, sampling={"items": 18})
    questions = search(world, told)
    assert [len(question.coefficients) for question in questions] == [4, 2, 2]
    assert told.brief.budget - told.brief.spent(told.history) in range(2 * 18)
    samples = [wanted["z"].items for question in questions for wanted in question.wanted]
    assert {len(items) for items in samples} == {18}
    assert all(first.tolist() != second.tolist() for first, second in pairwise(samples))


@pytest.mark.parametrize("fails", ["some", "one objective", "the first ones"])
def test_what_fails_is_left_out_and_counts_as_spent(make_world, fails):
    def cannot(coefficients, objective, split):
        return {
            "some": 0.9 < coefficients.sum() < 1.2,
            "one objective": objective == "z" and coefficients[0] > 0.8,
            "the first ones": np.isin(coefficients, (0.0, 0.5, 1.0)).all(),
        }[fails]

    world = make_world(2, fails=cannot)
    told = study(world, 8, compute={"max_failed_fraction": 1.0}, design={"points": 5})
    questions = search(world, told)
    assert len(rows(questions)) == 8
    assert told.history.observations.failed.any()
    assert nearest(rows(questions)) > 1e-6
    assert np.isfinite(rows(questions)).all()


def test_where_hardly_anything_can_be_measured_it_asks_blindly(make_world):
    world = make_world(1, fails=lambda coefficients, objective, split: coefficients[0] not in (0.0,))
    told = study(world, 6, compute={"max_failed_fraction": 1.0})
    assert all(question.blind for question in search(world, told))


def test_an_objective_that_is_always_perfect_does_no_harm(make_world, metrics, monkeypatch):
    world = make_world(2)
    score = type(world).score
    monkeypatch.setattr(type(world), "score", lambda self, c, index: 1.0 if index == 0 else score(self, c, index))
    told = study(world, 8)
    candidates = rows(search(world, told))
    assert (told.history.observations.scores[:, 0] == 1.0).all()
    assert np.isfinite(candidates).all()
    losses = told.history.observations.scores[:, 1]
    assert losses[6:].max() < 1.2 * losses[:6].min()  # it looks where the other objective is best


@pytest.mark.parametrize("m", [1, 3, 5])
def test_any_number_of_objectives(make_world, metrics, m):
    world = make_world(2, [metrics["loss"], metrics["accuracy"], *[metrics["accuracy"]] * 3][:m])
    assert len(rows(search(world, study(world, 8)))) == 8


def test_a_budget_that_ends_before_anything_is_chosen(make_world):
    with pytest.raises(ConfigError, match=r"spreads its first 6 candidates.*has room for 6 in all"):
        study(make_world(2), 6)
    with pytest.raises(ConfigError, match=r"spreads its first 20 candidates.*design.points"):
        study(make_world(2), 12, design={"points": 20})


def test_the_default_budget_is_enough(make_world):
    for k in (1, 2, 8):
        assert make_world(k).study(method="bayesian", sampling=ALL).overlap in (1, 3, 4)
