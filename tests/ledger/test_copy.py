"""Measurements of another ledger are taken over as they are, and none that is damaged."""

import numpy as np

from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.store import Store


def test_sound_records_are_copied_and_damaged_ones_left_to_be_measured_again(tmp_path):
    here, there = (EvaluationLedger(Store(str(tmp_path / name))) for name in ("here", "there"))
    right = np.ones(4, dtype=np.float32)
    sound, damaged = (there.put({"base": base}, right, seconds=0.1, device="cpu", run="first") for base in ("a", "b"))
    path = tmp_path / "there" / "evaluations" / damaged.key[:2] / f"{damaged.key}.json"
    path.write_bytes(path.read_bytes()[:-20])
    here.copy(there, [sound.key, damaged.key])
    assert list(here.get_many([sound.key, damaged.key])) == [sound.key]
    assert here.get(sound.key).checksum == sound.checksum
