"""Records that earlier versions wrote stay readable: those in `kept` are never written again, only added to."""

import json
from pathlib import Path

import numpy as np
import pytest

from mapmerge.ledger.record import decode

KEPT = Path(__file__).parent / "kept"

HELD = {
    "1-bits": ([1, 0, 0, 1, 1, 1, 0, 1, 1, 0], None),
    "1-margins": ([1, 0, 1], [0.5, -1.25, 2.0]),
    "1-scores": ([0.25, -3.5, 1e-7], None),
}


def test_none_is_left_out():
    assert sorted(path.stem for path in KEPT.iterdir()) == sorted(HELD)


@pytest.mark.parametrize("name", HELD)
def test_a_kept_record_says_what_it_always_said(name):
    data = (KEPT / f"{name}.json").read_bytes()
    outcomes, margins = HELD[name]
    record = decode(data, json.loads(data)["key"], name)
    assert record.outcomes.tolist() == np.float32(outcomes).tolist()
    assert (None if record.margins is None else record.margins.tolist()) == margins
    assert (record.seconds, record.device, record.run) == (1.5, "cpu", "first")
    assert record.inputs["experts"] == [["1" * 64, "0x1.0000000000000p-2"], ["2" * 64, "-0x1.8000000000000p+0"]]
