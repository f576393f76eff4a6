"""What a study was told."""

from dataclasses import replace

import numpy as np
import pytest

from mapmerge.history import History
from mapmerge.records import Evaluation, Question, Sample


def evaluation(row, objective, outcomes, *, items=None, error=None, repeat=0):
    sample = None
    if items is not None:
        sample = Sample(np.array(items), np.zeros(len(items), dtype=np.int64), np.ones(1))
    values = None if error else np.array(outcomes, dtype=np.float32)
    key = f"{objective}{row}{items}{repeat}"
    return Evaluation(key, np.array(row), objective, "search", values, error=error, sample=sample)


def question(rows, *, name="design", wanted=None, repeat=0):
    return Question(name, "search", np.array(rows), wanted, repeat)


def test_evaluations_are_ordered_as_they_were_asked_for():
    asked = question([[0.0], [1.0]])
    answers = [evaluation([float(n)], name, [n, 1]) for n in (0, 1) for name in "zy"]
    told = History(("z", "y")).told(asked, answers[::-1])
    assert [each.key for each in told.evaluations] == [each.key for each in answers]
    np.testing.assert_array_equal(told.observations.scores, [[0.5, 0.5], [1.0, 1.0]])
    assert told.observations.whole.all()


def test_samples_of_one_candidate_are_taken_together():
    row = np.array([0.5])
    halves = [evaluation([0.5], "z", [1, 1, 0], items=[0, 1, 2]), evaluation([0.5], "z", [0], items=[4])]
    told = History(("z", "y"))
    for number, half in enumerate(halves):
        told = told.told(question([row], name=f"round-{number}", wanted=({"z": half.sample},)), [half])
    seen = told.observations
    assert seen.coefficients.tolist() == [[0.5]]
    assert seen.items.tolist() == [[4, 0]]
    assert seen.scores[0, 0] == pytest.approx(0.5)
    assert np.isnan(seen.scores[0, 1])
    assert not seen.failed.any()  # never asked about is not failed
    assert not seen.whole.any()


def test_what_failed_is_no_score_unless_it_was_measured_another_time():
    failed = evaluation([0.5], "z", [], error="RuntimeError: no")
    told = History(("z",)).told(question([[0.5]]), [failed])
    assert told.observations.failed.tolist() == [[True]]
    sample = evaluation([0.5], "z", [1, 0], items=[0, 3])
    again = told.told(question([[0.5]], name="round-1", wanted=({"z": sample.sample},)), [sample])
    assert again.observations.failed.tolist() == [[False]]
    assert again.observations.scores.tolist() == [[0.5]]
    assert again.of("z") == [sample]


def test_a_question_told_again_keeps_its_place():
    first, second = question([[0.0]]), question([[1.0]], name="round-1")
    history = History(("z",)).told(first, [evaluation([0.0], "z", [0, 0])])
    history = history.told(second, [evaluation([1.0], "z", [1, 1])])
    history = history.told(first, [evaluation([0.0], "z", [0, 1])])
    assert [done.question.name for done in history.rounds] == ["design", "round-1"]
    assert history.observations.scores.ravel().tolist() == [0.5, 1.0]


def test_objectives_that_are_measured_alike_both_count():
    twins = [Evaluation("same", np.zeros(1), name, "search", np.float32([1, 0])) for name in "zy"]
    seen = History(("z", "y")).told(question([[0.0]]), twins).observations
    assert seen.items.tolist() == [[2, 2]]


def test_margins_stand_where_candidates_saw_items():
    told = History(("z", "y"))
    assert (
        told.told(question([[0.5]]), [evaluation([0.5], "z", [1, 0]), evaluation([0.5], "y", [0, 1])]).margins("z", 2)
        is None
    )
    for number, (row, items, margins) in enumerate(
        [(0.5, [1, 3], [2.0, -1.0]), (0.7, [0, 1], [0.5, 0.25]), (0.5, [0], [9.0])]
    ):
        one = evaluation([row], "z", np.float32(margins) > 0.0, items=items)
        one = replace(one, margins=np.float32(margins))
        told = told.told(question([[row]], name=f"round-{number}", wanted=({"z": one.sample},)), [one])
    table = told.margins("z", 4)
    np.testing.assert_array_equal(table, np.float32([[9.0, 2.0, np.nan, -1.0], [0.5, 0.25, np.nan, np.nan]]))
    assert told.margins("y", 4) is None
