"""What an actor holds gives the same numbers whatever happened before, and survives its plug-ins."""

import numpy as np
import pytest
import torch

from mapmerge.errors import BadInputError
from tasks.resident import Resident, one_line
from tasks.serial import SerialPool

PEAK = {"peak": [0.5, 0.5]}


def test_a_candidate_is_measured_alike_whatever_was_measured_before(digits_family, blueprint, works):
    resident = Resident(blueprint(digits_family / "study.yaml"))
    first, *others = works(4, "upright", "reversed")
    fresh = resident.measure(first.coefficients, "search", first.objectives)
    for work in others:
        resident.measure(work.coefficients, "held_out", work.objectives)
    again = resident.measure(first.coefficients, "search", first.objectives)
    assert [measured.objective for measured in fresh] == ["upright", "reversed"]
    for one, other in zip(fresh, again, strict=True):
        assert one.error is None
        assert one.outcomes.dtype == np.float32
        assert one.outcomes.tobytes() == other.outcomes.tobytes()


def test_measuring_takes_one_thread_and_gives_the_others_back(digits_family, blueprint):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        Resident(blueprint(digits_family / "study.yaml")).measure(np.zeros(2), "search", ["upright"])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("error", "RuntimeError: cannot measure [0.9, 0.0]"),
        ("float64", "expected a float32 array of 64 finite outcomes, the evaluator gave float64 of shape (64,)"),
        ("list", "the evaluator gave a list"),
        ("nan", "64 that are not finite"),
        ("short", "float32 of shape (63,)"),
    ],
)
def test_what_a_plug_in_does_wrong_becomes_a_record_of_this_candidate(probe_family, blueprint, trouble, words):
    study = probe_family(objectives={"calm": PEAK, "bad": {**PEAK, "trouble": trouble, "above": 0.8}})
    resident = Resident(blueprint(study))
    calm, bad = resident.measure(np.array([0.9, 0.0]), "search", ["calm", "bad"])
    assert calm.error is None
    assert bad.outcomes is None
    assert words in bad.error
    assert "\n" not in bad.error
    _, good = resident.measure(np.array([0.1, 0.0]), "search", ["calm", "bad"])
    assert good.error is None


def test_an_evaluator_that_cannot_be_opened_becomes_a_record_too(probe_family, blueprint):
    study = probe_family(objectives={"calm": PEAK, "bad": PEAK})
    resident = Resident(blueprint(study))
    resident.evaluator("calm", "search")
    (study.parent / "search.json").unlink()
    calm, bad = resident.measure(np.zeros(2), "search", ["calm", "bad"])
    assert calm.error is None
    assert bad.error.startswith("FileNotFoundError: ")


def test_models_that_cannot_be_used_are_refused(probe_family, blueprint):
    study = probe_family(objectives={"calm": PEAK})
    (study.parent / "e1.safetensors").write_bytes(b"")
    with pytest.raises(BadInputError, match=r"e1\.safetensors: the file is empty"):
        Resident(blueprint(study))


def test_the_serial_executor_keeps_the_order(digits_family, blueprint, works):
    pool = SerialPool(blueprint(digits_family / "study.yaml"))
    work = works(3, "upright")
    finished = list(pool.run(work))
    assert [one.work for one in finished] == work
    assert all(one.measured[0].error is None for one in finished)
    pool.close()


def test_an_error_in_one_line():
    assert one_line(ValueError("x" * 1000)) == "ValueError: " + "x" * 488
    assert one_line(KeyError()) == "KeyError: "
