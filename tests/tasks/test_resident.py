"""What an actor holds gives the same numbers whatever happened before, and survives its plug-ins."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from mapmerge.errors import BadInputError, RunError
from mapmerge.sampling.draw import draw
from tasks.inputs import freeze, open_inputs
from tasks.resident import Resident, one_line
from tasks.serial import SerialPool

PEAK = {"peak": [0.5, 0.5]}


def test_a_candidate_is_measured_alike_whatever_was_measured_before(digits_family, blueprint, works):
    resident = Resident(blueprint(digits_family / "study.yaml"))
    first, *others = works(4, "upright", "reversed")
    fresh = resident.measure(first.coefficients, "search", first.wanted)
    for work in others:
        resident.measure(work.coefficients, "held_out", work.wanted)
    again = resident.measure(first.coefficients, "search", first.wanted)
    assert [measured.objective for measured in fresh] == ["upright", "reversed"]
    for one, other in zip(fresh, again, strict=True):
        assert one.error is None
        assert one.outcomes.dtype == np.float32
        assert one.outcomes.tobytes() == other.outcomes.tobytes()


def test_measuring_takes_one_thread_and_gives_the_others_back(digits_family, blueprint):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        Resident(blueprint(digits_family / "study.yaml")).measure(np.zeros(2), "search", {"upright": None})
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_nothing_else_is_measured_than_what_the_run_began_with(own_family, blueprint):
    plan = blueprint(own_family / "study.yaml")
    inputs = freeze(plan.study(), own_family, open_inputs(plan.study(), own_family))["inputs"]
    resident = Resident(replace(plan, inputs=inputs))
    resident.measure(np.zeros(2), "search", {"upright": None})
    shutil.copy(own_family / "reversed-search.safetensors", own_family / "upright-held_out.safetensors")
    with pytest.raises(RunError, match="objective 'upright', held_out: is not what it was when the run began"):
        resident.measure(np.zeros(2), "held_out", {"upright": None})
    shutil.copytree(own_family / "reversed", own_family / "upright", dirs_exist_ok=True)
    with pytest.raises(RunError, match=r"upright/model.safetensors: is not what it was when the run began"):
        Resident(replace(plan, inputs=inputs))


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
    calm, bad = resident.measure(np.array([0.9, 0.0]), "search", {"calm": None, "bad": None})
    assert calm.error is None
    assert bad.outcomes is None
    assert words in bad.error
    assert "\n" not in bad.error
    _, good = resident.measure(np.array([0.1, 0.0]), "search", {"calm": None, "bad": None})
    assert good.error is None


def test_an_evaluator_that_cannot_be_opened_becomes_a_record_too(probe_family, blueprint):
    study = probe_family(objectives={"calm": PEAK, "bad": PEAK})
    resident = Resident(blueprint(study))
    resident.evaluator("calm", "search")
    (study.parent / "search.json").unlink()
    calm, bad = resident.measure(np.zeros(2), "search", {"calm": None, "bad": None})
    assert calm.error is None
    assert bad.error.startswith("FileNotFoundError: ")


def test_only_the_items_of_a_sample_are_measured(digits_family, blueprint):
    resident, rng = Resident(blueprint(digits_family / "study.yaml")), np.random.default_rng(0)
    row = np.array([0.4, 0.3])
    whole = resident.measure(row, "search", {"upright": None, "reversed": None})
    drawn = {"reversed": draw(30, None, rng, size=200), "upright": draw(12, rng.random(200), rng, size=200)}
    measured = resident.measure(row, "search", drawn)
    assert [one.objective for one in measured] == ["reversed", "upright"]
    for one, all_items in zip(measured, reversed(whole), strict=True):
        assert one.error is None
        assert one.outcomes.dtype == np.float32
        items = drawn[one.objective].items
        np.testing.assert_allclose(one.outcomes, all_items.outcomes[items], rtol=1e-5)


def test_an_evaluator_that_forgets_the_sample_is_found_out(probe_family, blueprint):
    study = probe_family(objectives={"calm": PEAK, "bad": {**PEAK, "trouble": "short", "above": 0.8}})
    sample = draw(10, None, np.random.default_rng(0), size=64)
    calm, bad = Resident(blueprint(study)).measure(np.array([0.9, 0.0]), "search", {"calm": sample, "bad": sample})
    assert len(calm.outcomes) == 10
    expected = "expected a float32 array of 10 finite outcomes, the evaluator gave float32 of shape (9,)"
    assert bad.error == expected


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


def test_the_serial_executor_asks_for_a_piece_when_it_can_measure_it_and_ends_where_there_is_none(
    probe_family, blueprint, works
):
    pool, log = SerialPool(blueprint(probe_family(objectives={"calm": PEAK}))), []

    def pieces():
        for number, piece in enumerate(works(2, "calm")):
            log.append(f"asked {number}")
            yield piece
        yield None  # nothing is in flight that could bring more
        log.append("asked again")

    for number, _ in enumerate(pool.run(pieces())):
        log.append(f"finished {number}")
    assert log == ["asked 0", "finished 0", "asked 1", "finished 1"]


def test_an_error_in_one_line():
    assert one_line(ValueError("x" * 1000)) == "ValueError: " + "x" * 488
    assert one_line(KeyError()) == "KeyError: "


def test_margins_come_with_what_is_searched_on(digits_family, blueprint):
    resident, row = Resident(blueprint(digits_family / "study.yaml")), np.array([0.4, 0.3])
    (searched,) = resident.measure(row, "search", {"upright": None})
    assert searched.margins.dtype == np.float32
    np.testing.assert_array_equal(searched.margins > 0.0, searched.outcomes == 1.0)
    np.testing.assert_array_equal(
        searched.outcomes, resident.evaluator("upright", "search").measure(resident.model.load(row))
    )
    (held_out,) = resident.measure(row, "held_out", {"upright": None})
    assert held_out.margins is None
