"""What a run recalls and keeps: the ledger answers for all runs of an output, failures only for their own."""

import numpy as np
import pytest

from mapmerge.errors import FailedRunError
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from tasks.pool import Finished, Work
from tasks.prepare import prepare, reopen
from tasks.resident import Measured
from tasks.serial import SerialPool

PEAK = {"peak": [0.5, 0.5]}
ROWS = [np.array([0.0, 0.0]), np.array([0.25, 0.75])]


def measure(run, rows, split="search"):
    pool = SerialPool(run.blueprint)
    names = tuple(objective.name for objective in run.objectives)
    return [kept for done in pool.run([Work(row, split, names) for row in rows]) for kept in run.keep(done)]


@pytest.fixture
def study(probe_family):
    return str(probe_family(objectives={"z": PEAK, "bad": {**PEAK, "trouble": "error", "above": 0.2}}))


def test_nothing_is_known_of_a_new_study(study, tmp_path):
    assert prepare.fn(study, str(tmp_path), "one", []).recall(ROWS, "search") == {}


def test_what_was_kept_is_recalled_by_the_run_and_by_others(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    kept = {(evaluation.coefficients.tobytes(), evaluation.objective): evaluation for evaluation in measure(run, ROWS)}
    assert len(kept) == 4
    again = reopen.fn(run.uri, []).recall(ROWS, "search")
    assert again.keys() == kept.keys()
    for place, evaluation in again.items():
        assert evaluation.key == kept[place].key
        assert evaluation.score == kept[place].score or evaluation.error is not None
        assert not evaluation.reused  # this very run paid for it

    other = prepare.fn(study, str(tmp_path), "two", ["seed=1"]).recall(ROWS, "search")
    assert all(evaluation.reused for evaluation in other.values())
    assert {place for place in kept if place not in other} == {(ROWS[1].tobytes(), "bad")}  # it may try again
    assert run.recall(ROWS, "held_out") == {}


def test_a_failure_is_remembered_with_its_first_reason(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    measure(run, ROWS[1:])
    work = Work(ROWS[1], "search", ("bad",))
    run.keep(Finished(work, [Measured("bad", None, 0.0, "another reason")], 0, attempts=3))
    recalled = reopen.fn(run.uri, []).recall(ROWS, "search")[ROWS[1].tobytes(), "bad"]
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
    known = large.recall([np.array([*row, 0.0]) for row in ROWS] + [np.array([0.25, 0.75, 0.1])], "search")
    assert len(known) == 2
    assert all(evaluation.reused for evaluation in known.values())
    assert all(evaluation.coefficients.shape == (3,) for evaluation in known.values())


def test_a_damaged_record_is_measured_again_and_told(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", [])
    first, *_ = measure(run, ROWS[:1])
    record = tmp_path / "evaluations" / first.key[:2] / f"{first.key}.json"
    record.write_bytes(record.read_bytes().replace(b'"score":', b'"scora":'))
    run = reopen.fn(run.uri, [])
    assert (ROWS[0].tobytes(), "z") not in run.recall(ROWS[:1], "search")
    assert "measured again" in run.ledger.warnings[0]
    assert measure(run, ROWS[:1])[0].score == first.score


def test_stores_other_than_files(study):
    run = prepare.fn(study, "memory://tasks-run", "one", [])
    measure(run, ROWS)
    assert len(RunFolder(Store("memory://tasks-run"), "one").failures()) == 1
    assert len(run.recall(ROWS, "search")) == 4


def test_the_study_of_a_run_hears_of_failures_through_recall(study, tmp_path):
    run = prepare.fn(study, str(tmp_path), "one", ["compute.max_failed_fraction=0.1"])
    question = run.study.ask()
    measure(run, question.coefficients)
    again = reopen.fn(run.uri, [])
    known = again.recall(list(question.coefficients), "search")
    with pytest.raises(FailedRunError, match="cannot measure"):
        again.study.tell(again.study.ask(), list(known.values()))
