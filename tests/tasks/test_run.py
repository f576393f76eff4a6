"""What a run recalls and keeps: the ledger answers for all runs of an output, failures only for their own."""

import numpy as np
import pytest

from mapmerge.errors import FailedRunError
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from mapmerge.records import Question
from mapmerge.sampling.draw import draw
from tasks.pool import Finished, Work
from tasks.prepare import prepare, reopen
from tasks.resident import Measured
from tasks.serial import SerialPool

PEAK = {"peak": [0.5, 0.5]}
ROWS = [np.array([0.0, 0.0]), np.array([0.25, 0.75])]


def asking(rows, split="search", **options):
    return Question("any", split, np.vstack(rows), **options)


def recall(run, rows, split="search", **options):
    """What is known of candidates, by candidate and objective."""
    known = run.recall(run.requests(asking(rows, split, **options)))
    return {(evaluation.coefficients.tobytes(), evaluation.objective): evaluation for evaluation in known.values()}


def measure(run, rows, split="search", wanted=None, repeat=0):
    pool = SerialPool(run.blueprint)
    wanted = dict.fromkeys(objective.name for objective in run.objectives) if wanted is None else wanted
    work = [Work(row, split, wanted, repeat) for row in rows]
    return [kept for done in pool.run(work) for kept in run.keep(done)]


@pytest.fixture
def study(probe_family):
    return str(probe_family(objectives={"z": PEAK, "bad": {**PEAK, "trouble": "error", "above": 0.2}}))


def test_nothing_is_known_of_a_new_study(study, tmp_path):
    assert recall(prepare.fn(study, str(tmp_path), "one", []), ROWS) == {}


def test_what_was_kept_is_recalled_by_the_run_and_by_others(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    kept = {(evaluation.coefficients.tobytes(), evaluation.objective): evaluation for evaluation in measure(run, ROWS)}
    assert len(kept) == 4
    again = recall(reopen.fn(run.uri, []), ROWS)
    assert again.keys() == kept.keys()
    for place, evaluation in again.items():
        assert evaluation.key == kept[place].key
        assert evaluation.score == kept[place].score or evaluation.error is not None
        assert not evaluation.reused  # this very run paid for it

    other = recall(prepare.fn(study, str(tmp_path), "two", ["seed=1"]), ROWS)
    assert all(evaluation.reused for evaluation in other.values())
    assert {place for place in kept if place not in other} == {(ROWS[1].tobytes(), "bad")}  # it may try again
    assert recall(run, ROWS, "held_out") == {}


def test_a_failure_is_remembered_with_its_first_reason(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    measure(run, ROWS[1:])
    work = Work(ROWS[1], "search", {"bad": None})
    run.keep(Finished(work, [Measured("bad", None, 0.0, "another reason")], 0, attempts=3))
    for same in (run, reopen.fn(run.uri, [])):
        recalled = recall(same, ROWS)[ROWS[1].tobytes(), "bad"]
        assert recalled.error == "RuntimeError: cannot measure [0.25, 0.75]"
        assert np.isnan(recalled.score)
    (failure,) = run.folder.failures()
    assert failure["details"] == {"coefficients": [0.25, 0.75], "objective": "bad", "split": "search"}
    assert failure["attempts"] == 1


def test_an_expert_more_finds_what_was_measured_without_it(probe_family, tmp_path):
    """The ledger drops experts with coefficient zero: old candidates stay valid when a study grows."""
    study = probe_family(objectives={"z": {"peak": [0.5, 0.5, 0.5]}}, k=3)
    text = study.read_text()
    without = text.replace("- name: e2\n  checkpoint: e2.safetensors\n", "")
    assert without != text
    study.write_text(without)
    small = prepare.fn(str(study), str(tmp_path), "small", ["architecture.options.in_features=3"])
    # The probe reads its candidate from the weights, which have a third entry all the same.
    measure(small, ROWS)
    study.write_text(text)
    large = prepare.fn(str(study), str(tmp_path), "large", [])
    known = recall(large, [np.array([*row, 0.0]) for row in ROWS] + [np.array([0.25, 0.75, 0.1])])
    assert len(known) == 2
    assert all(evaluation.reused for evaluation in known.values())
    assert all(evaluation.coefficients.shape == (3,) for evaluation in known.values())


def test_a_damaged_record_is_measured_again_and_told(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    first, *_ = measure(run, ROWS[:1])
    record = tmp_path / "evaluations" / first.key[:2] / f"{first.key}.json"
    record.write_bytes(record.read_bytes().replace(b'"score":', b'"scora":'))
    run = reopen.fn(run.uri, [])
    assert (ROWS[0].tobytes(), "z") not in recall(run, ROWS[:1])
    assert "measured again" in run.ledger.warnings[0]
    assert measure(run, ROWS[:1])[0].score == first.score


def test_stores_other_than_files(study):
    run = prepare.fn(study, "memory://tasks-run", "one", [])
    measure(run, ROWS)
    assert len(RunFolder(Store("memory://tasks-run"), "one").failures()) == 1
    assert len(recall(run, ROWS)) == 4


def test_the_study_of_a_run_hears_of_failures_through_recall(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", ["compute.max_failed_fraction=0.1"])
    question = run.study.ask()
    measure(run, question.coefficients)
    again = reopen.fn(run.uri, [])
    known = recall(again, question.coefficients)
    with pytest.raises(FailedRunError, match="cannot measure"):
        again.study.tell(again.study.ask(), list(known.values()))


def drawn(count, seed=0, difficulty=None):
    return draw(count, difficulty, np.random.default_rng(seed), size=64)


def test_a_sample_is_recalled_as_itself_only(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    sample, other = drawn(16, difficulty=np.arange(64.0)), drawn(16, seed=1)
    (kept,) = measure(run, ROWS[:1], wanted={"z": sample})
    assert kept.sample is sample
    assert kept.items == 16
    (stored,) = recall(reopen.fn(run.uri, []), ROWS[:1], wanted=({"z": sample},)).values()
    assert stored.key == kept.key
    assert stored.sample is sample
    assert stored.score == kept.score == pytest.approx(sample.weights @ stored.outcomes)
    for wanted in ({"z": None}, {"z": other}):
        assert recall(run, ROWS[:1], wanted=(wanted,)) == {}
    assert recall(run, ROWS[:1], "held_out", wanted=({"z": sample},)) == {}


def test_a_sample_of_all_items_is_the_item_set(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    (full,) = measure(run, ROWS[:1], wanted={"z": None})
    (found,) = recall(run, ROWS[:1], wanted=({"z": drawn(64)},)).values()
    assert found.key == full.key
    assert found.score == pytest.approx(full.score)


def test_a_repetition_is_measured_again_and_kept_beside_the_first(probe_family, tmp_path):
    study = probe_family(objectives={"z": {**PEAK, "trouble": "random", "above": 0.2}})
    run = prepare.fn(str(study), str(tmp_path), "one", [])
    first, second = (measure(run, ROWS[1:], repeat=repeat)[0] for repeat in (0, 1))
    assert first.outcomes.tobytes() != second.outcomes.tobytes()
    for repeat, kept in enumerate((first, second)):
        (known,) = recall(run, ROWS[1:], repeat=repeat).values()
        assert known.outcomes.tobytes() == kept.outcomes.tobytes()
    assert recall(run, ROWS[1:], repeat=2) == {}


def test_each_measurement_is_requested_once_whatever_the_question_repeats(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    sample, same = drawn(4), drawn(4)
    question = asking([ROWS[0], ROWS[0], -ROWS[0]], wanted=({"z": sample}, {"z": same, "bad": None}, {"z": sample}))
    requests = run.requests(question)
    assert [request.objective for request in requests] == ["z", "bad", "z"]
    assert requests[0].key == requests[2].key  # a coefficient of -0.0 makes no other model
    (known,) = measure(run, ROWS[:1], wanted={"z": sample})
    answer = requests[2].answer(known)
    assert np.signbit(answer.coefficients).all()
    assert answer.key == known.key
