"""A question while it is being measured: one piece of work a candidate, complete when every answer is in."""

import numpy as np
import pytest

from mapmerge.records import Question
from mapmerge.sampling.draw import draw
from tasks.asked import Asked
from tasks.prepare import prepare
from tasks.serial import SerialPool

ROWS = np.array([[0.0, 0.0], [0.25, 0.75], [0.5, 0.5]])


@pytest.fixture
def run(probe_family, tmp_path):
    study = probe_family(objectives={"z": {"peak": [0.5, 0.5]}, "y": {"peak": [0.2, 0.5]}, "a": {"peak": [0.0, 0.9]}})
    return prepare.fn(str(study), str(tmp_path), "one", [])


def sample(seed, count=5):
    return draw(count, None, np.random.default_rng(seed), size=64)


def asking(run, rows, wanted=None, **options):
    return Asked(run, Question("any", "search", rows, wanted, **options))


def measure(run, asked, besides=()):
    """Measure all that is missing; returns how many candidates were done after each piece of work."""
    done = [asked.done]
    for finished in SerialPool(run.blueprint).run(asked.work(besides)):
        for evaluation in run.keep(finished):
            asked.take(evaluation)
        done.append(asked.done)
    return done


def test_everything_is_asked_of_a_candidate_at_once(run):
    asked = asking(run, ROWS)
    assert [list(work.wanted.items()) for work in asked.work()] == [[("z", None), ("y", None), ("a", None)]] * 3
    assert asked.candidates == 3
    assert measure(run, asked) == [0, 1, 2, 3]
    assert not asked.missing
    told = [(evaluation.coefficients.tolist(), evaluation.objective) for evaluation in asked.evaluations()]
    assert told == [(row.tolist(), name) for row in ROWS for name in "zya"]


def test_only_what_is_unknown_is_measured(run):
    measure(run, asking(run, ROWS[:2], ({"y": None}, dict.fromkeys("zya"))))
    asked = asking(run, ROWS)
    assert asked.done == 1
    assert [tuple(work.wanted) for work in asked.work()] == [("z", "a"), ("z", "y", "a")]
    assert [work.coefficients.tolist() for work in asked.work()] == [ROWS[0].tolist(), ROWS[2].tolist()]


def test_candidates_may_be_wanted_on_few_objectives_or_none(run):
    asked = asking(run, ROWS, ({"z": sample(0)}, {}, {"z": None, "y": sample(1)}))
    assert asked.candidates == 2  # of one nothing is wanted
    assert measure(run, asked) == [0, 1, 2]
    assert [(each.objective, each.items) for each in asked.evaluations()] == [("z", 5), ("z", 64), ("y", 5)]
    assert asking(run, ROWS, ({}, {}, {})).evaluations() == []


def test_a_candidate_that_is_asked_about_twice_is_measured_once(run):
    one, other = sample(0), sample(1)
    asked = asking(
        run,
        np.vstack([ROWS[:2], ROWS[1:2], ROWS[1:2], -ROWS[:1]]),
        ({"z": one}, {"z": one, "a": one}, {"z": other, "y": None}, {"z": one}, {"z": one}),
    )
    work = asked.work()
    assert [{name: it and it.items.tolist() for name, it in piece.wanted.items()} for piece in work] == [
        {"z": one.items.tolist()},
        {"z": one.items.tolist(), "a": one.items.tolist(), "y": None},
        {"z": other.items.tolist()},  # another sample of the same objective
    ]
    assert asked.candidates == 3  # 0.0 and -0.0 are two of them, as a study tells them apart
    measure(run, asked)
    told = asked.evaluations()
    assert [each.objective for each in told] == ["z", "z", "a", "z", "y", "z"]
    assert told[0].outcomes.tobytes() == told[-1].outcomes.tobytes()
    assert np.signbit(told[-1].coefficients).all()


def test_what_somebody_else_measures_is_waited_for(run):
    first, second = asking(run, ROWS[:2]), asking(run, ROWS[1:])
    assert [piece.coefficients.tolist() for piece in second.work(besides=first.missing)] == [ROWS[2].tolist()]
    measure(run, second, besides=first.missing)
    assert second.done == 1
    for finished in SerialPool(run.blueprint).run(first.work()):
        for evaluation in run.keep(finished):
            first.take(evaluation)
            second.take(evaluation)
    assert first.done == second.done == 2
    assert len(second.evaluations()) == 6


def test_objectives_that_are_the_same_measurement_are_measured_once(probe_family, tmp_path):
    study = probe_family(objectives={name: {"peak": [0.5, 0.5]} for name in "zya"})
    run = prepare.fn(str(study), str(tmp_path), "one", [])
    asked = asking(run, ROWS)
    assert [list(piece.wanted) for piece in asked.work()] == [["z"]] * 3
    measure(run, asked)
    assert [each.objective for each in asked.evaluations()] == list("zya") * 3


def test_a_repetition_asks_again_for_what_is_known(run):
    measure(run, asking(run, ROWS))
    asked = asking(run, ROWS, repeat=1)
    assert [work.repeat for work in asked.work()] == [1, 1, 1]
    measure(run, asked)
    assert asking(run, ROWS, repeat=1).done == 3
