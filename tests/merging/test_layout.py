import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mapmerge.checkpoints import open_checkpoint
from mapmerge.errors import IntegrityError
from mapmerge.merging import Layout
from mapmerge.merging.layout import ALIGNMENT

shapes = st.dictionaries(st.text(max_size=6), st.lists(st.integers(0, 9), max_size=3).map(tuple), max_size=8)


@given(shapes=shapes)
@settings(max_examples=60, deadline=None)
def test_slots_are_aligned_sorted_and_never_overlap(shapes: dict[str, tuple[int, ...]]) -> None:
    layout = Layout.from_shapes(shapes)
    assert [slot.name for slot in layout.slots] == sorted(shapes)
    flat = torch.zeros(layout.d)
    for slot in layout.slots:
        assert slot.offset % ALIGNMENT == 0
        view = layout.view(flat, slot.name)
        assert tuple(view.shape) == shapes[slot.name]
        view += 1
    assert flat.max() <= 1 if layout.d else True
    assert flat.sum() == sum(slot.size for slot in layout.slots)
    assert layout.d % ALIGNMENT == 0


@given(shapes=shapes)
@settings(max_examples=30, deadline=None)
def test_json_round_trip(shapes: dict[str, tuple[int, ...]]) -> None:
    layout = Layout.from_shapes(shapes)
    assert Layout.from_json(json.loads(json.dumps(layout.to_json()))) == layout


def test_of_a_checkpoint_leaves_integers_out(tmp_path: Path) -> None:
    tensors = {
        "w": torch.ones(2, 3),
        "half": torch.ones(5).half(),
        "steps": torch.tensor(1),
        "scale": torch.tensor(1.0),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    layout = Layout.of(open_checkpoint(tmp_path))
    assert {slot.name: slot.offset for slot in layout.slots} == {"half": 0, "scale": 16, "w": 32}
    assert layout.d == 48


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"d": 16, "tensors": []},
        {"d": 16, "tensors": {"w": {}}},
        {"d": 16, "tensors": {"w": {"shape": 4, "offset": 0}}},
        {"d": 16, "tensors": {"w": {"shape": ["x"], "offset": 0}}},
        {"d": 16, "tensors": {"w": {"shape": [-4], "offset": 0}}},
        {"d": 16, "tensors": {"w": {"shape": [4], "offset": 3}}},
        {"d": 99, "tensors": {"w": {"shape": [4], "offset": 0}}},
        {"d": 32, "tensors": {"v": {"shape": [4], "offset": 0}, "w": {"shape": [4], "offset": 0}}},
    ],
)
def test_json_that_is_no_layout(value: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="layout"):
        Layout.from_json(value)
