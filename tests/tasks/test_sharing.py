"""What another run measures at this moment is waited for; what it gives up is measured here."""

import threading
from contextlib import closing

import numpy as np
import pytest

from mapmerge.records import Question
from tasks import sharing
from tasks.asked import Asked
from tasks.prepare import prepare
from tasks.serial import SerialPool
from tasks.sharing import Sharing

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

ROWS = np.array([[0.0, 0.0], [0.3, 0.3], [0.6, 0.1]])
QUESTION = Question("any", "search", ROWS)


@pytest.fixture
def runs(probe_family, tmp_path, monkeypatch):
    """Two runs of one study in one store, each held."""
    monkeypatch.setattr(sharing, "_LOOK_S", 0.01)
    study = probe_family(objectives={"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}})
    both = [prepare.fn(str(study), str(tmp_path / "out"), name, []) for name in ("first", "second")]
    with both[0].lease, both[1].lease:
        yield both


def measure(run, measured):
    """Measure the question as a round does; `measured` is told every candidate that is measured here."""
    asked = Asked(run, QUESTION)
    with closing(Sharing(run, asked.take)) as shared:
        for finished in SerialPool(run.blueprint).run(shared.hand_out(asked.work())):
            measured((finished.work.coefficients.tolist(), sorted(finished.work.wanted)))
            for evaluation in shared.finished(finished):
                asked.take(evaluation)
    return asked.evaluations()


def test_two_runs_share_the_work_and_get_the_same(runs):
    done, answers = [], [None, None]

    def drive(number):
        answers[number] = measure(runs[number], done.append)

    threads = [threading.Thread(target=drive, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each may have claimed one objective of a candidate, but nothing is measured twice.
    measured = [(row, name) for row, names in done for name in names]
    assert sorted(measured) == [(row, name) for row in ROWS.tolist() for name in ("a", "z")]
    first, second = ([(each.key, each.outcomes.tobytes()) for each in of] for of in answers)
    assert first == second
    assert [not each.reused for each in answers[0]] == [each.reused for each in answers[1]]
    assert runs[0].ledger.store.list("claims") == []


def test_only_the_objectives_that_nobody_measures_are_measured(runs):
    ours, theirs = runs
    requests = theirs.requests(QUESTION)
    taken = [request for request in requests if request.objective == "a"][:2]
    assert theirs.claims.take([request.key for request in taken]) == {request.key for request in taken}
    done = []

    def measured(piece):
        done.append(piece)
        if len(done) == 3:  # all that is left is theirs: one is recorded now, the other given up
            work = Asked(theirs, QUESTION).work()
            [finished] = SerialPool(theirs.blueprint).run(iter(work[:1]))
            theirs.keep(finished)
            theirs.claims.give_back([request.key for request in taken])

    evaluations = measure(ours, measured)
    first, second, third = ROWS.tolist()
    assert done == [(first, ["z"]), (second, ["z"]), (third, ["a", "z"]), (second, ["a"])]
    assert {(each.coefficients.tobytes(), each.objective) for each in evaluations if each.reused} == {
        (ROWS[0].tobytes(), "a")
    }


def test_what_was_claimed_and_not_measured_is_free_again(runs):
    ours, theirs = runs
    asked = Asked(ours, QUESTION)
    shared = Sharing(ours, asked.take)
    pieces = shared.hand_out(asked.work())
    assert next(pieces) is not None
    assert len(ours.ledger.store.list("claims")) == 2
    shared.close()
    assert ours.ledger.store.list("claims") == []
    done = []
    measure(theirs, done.append)
    assert len(done) == 3


def test_a_failure_of_another_run_is_not_taken_over(probe_family, tmp_path):
    study = probe_family(
        objectives={"z": {"peak": [0.8, 0.1], "trouble": "error", "above": 0.25}, "a": {"peak": [0.1, 0.8]}}
    )
    for name in ("first", "second"):
        run = prepare.fn(str(study), str(tmp_path / "out"), name, [])
        with run.lease:
            done = []
            evaluations = measure(run, done.append)
        assert sum(each.error is not None for each in evaluations) == 2
        assert len(done) == (3 if name == "first" else 2)  # what failed is tried by the second run again
