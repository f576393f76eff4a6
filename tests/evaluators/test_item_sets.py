import hashlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from mapmerge.errors import ItemSetError, MissingFileError
from mapmerge.evaluators.item_sets import check_disjoint, open_item_set, write_item_set


def images(items=6, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (items, 1, 4, 4), dtype=np.uint8))


LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def test_what_is_written_is_what_is_opened(tmp_path):
    item_set = open_item_set(write_item_set(tmp_path / "deep" / "a.safetensors", images(), LABELS))
    assert torch.equal(item_set.inputs, images())
    assert item_set.inputs.dtype == torch.uint8
    assert torch.equal(item_set.labels, LABELS)
    assert len(item_set) == 6
    assert len(set(item_set.ids)) == 6
    assert item_set.warnings == ()


def test_numpy_arrays_and_narrow_labels_are_accepted(tmp_path):
    path = write_item_set(tmp_path / "a.safetensors", images().numpy(), LABELS.numpy().astype(np.uint8))
    assert torch.equal(open_item_set(path).labels, LABELS)


def test_a_write_leaves_nothing_beside_the_file(tmp_path):
    write_item_set(tmp_path / "a.safetensors", images(), LABELS)
    write_item_set(tmp_path / "a.safetensors", images(seed=1), LABELS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_hash_depends_on_content_only(tmp_path):
    first = open_item_set(write_item_set(tmp_path / "a.safetensors", images(), LABELS))
    same = open_item_set(write_item_set(tmp_path / "b.safetensors", images(), LABELS))
    other_label = open_item_set(write_item_set(tmp_path / "c.safetensors", images(), LABELS.flip(0)))
    as_float = open_item_set(write_item_set(tmp_path / "d.safetensors", images().float(), LABELS))
    reshaped = open_item_set(write_item_set(tmp_path / "e.safetensors", images().reshape(6, 16), LABELS))
    assert first.sha256 == same.sha256
    assert first.ids == same.ids == other_label.ids
    assert len({first.sha256, other_label.sha256, as_float.sha256, reshaped.sha256}) == 4
    assert not set(first.ids) & set(as_float.ids)
    assert not set(first.ids) & set(reshaped.ids)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]), st.integers(2, 9))
def test_every_floating_dtype_comes_back(tmp_path_factory, dtype, items):
    inputs = torch.arange(items * 3).reshape(items, 3).to(dtype)
    labels = torch.arange(items)
    path = write_item_set(tmp_path_factory.mktemp("set") / "a.safetensors", inputs, labels)
    opened = open_item_set(path)
    assert opened.inputs.dtype == dtype
    assert torch.equal(opened.inputs, inputs)


def test_an_id_is_the_hash_of_dtype_shape_and_bytes(tmp_path):
    opened = open_item_set(write_item_set(tmp_path / "a.safetensors", images(), LABELS))
    expected = hashlib.sha256(b"torch.uint8 [1, 4, 4]" + images()[2].numpy().tobytes()).hexdigest()
    assert opened.ids[2] == expected[:32]


def test_repeated_items_are_a_warning(tmp_path):
    inputs = images()
    inputs = torch.cat([inputs, inputs[:2]])
    opened = open_item_set(write_item_set(tmp_path / "a.safetensors", inputs, torch.cat([LABELS, LABELS[:2]])))
    assert opened.warnings == ("item set a.safetensors: 2 of 8 items repeat another one",)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"inputs": images()}, "there is no labels"),
        ({"labels": LABELS}, "there is no inputs"),
        ({"x": LABELS}, "there is no inputs and no labels among"),
        ({"inputs": images(5), "labels": LABELS}, "5 inputs but 6 labels"),
        ({"inputs": images(6)[:0], "labels": LABELS[:0]}, "no items"),
        ({"inputs": torch.zeros(6, 0), "labels": LABELS}, "no items"),
        ({"inputs": images().long(), "labels": LABELS}, "uint8 or floating point, came torch.int64"),
        ({"inputs": images(), "labels": LABELS.int()}, "as int64 of shape"),
        ({"inputs": images(), "labels": LABELS.reshape(2, 3)}, "as int64 of shape"),
        ({"inputs": images(), "labels": LABELS * 0 + 3}, "all 6 items are of class 3"),
        ({"inputs": images(), "labels": LABELS - 1}, "item 0 has label -1"),
        ({"inputs": torch.tensor([[1.0], [float("nan")]]), "labels": LABELS[:2]}, "1 inputs hold NaN .* is item 1"),
        ({"inputs": torch.tensor([[float("inf")], [1.0]]), "labels": LABELS[:2]}, "is item 0"),
    ],
)
def test_unusable_sets_are_refused_and_named(tmp_path, tensors, message):
    path = tmp_path / "bad.safetensors"
    save_file(tensors, path)
    with pytest.raises(ItemSetError, match=message) as caught:
        open_item_set(path)
    assert str(path) in str(caught.value)


def test_writing_checks_as_opening_does(tmp_path):
    with pytest.raises(ItemSetError, match="classes from 0"):
        write_item_set(tmp_path / "a.safetensors", images(), LABELS - 1)
    with pytest.raises(ItemSetError, match="int64"):
        write_item_set(tmp_path / "a.safetensors", images(), LABELS.float())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no tensors", b"\x80\x04K\x01.", b"\xff" * 64])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(ItemSetError, match="expected a whole safetensors file"):
        open_item_set(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = write_item_set(tmp_path / "a.safetensors", images(), LABELS)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ItemSetError, match="whole safetensors file"):
        open_item_set(path)


def test_a_header_that_lies_is_refused_before_anything_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    entry = {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 2**62]}
    header = json.dumps({"inputs": entry, "labels": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ItemSetError, match=r"a\.safetensors: the file is truncated"):
        open_item_set(path)
    with pytest.raises(MissingFileError, match="there is no such file"):
        open_item_set("x" * 5000)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere"):
        open_item_set(tmp_path / "nowhere.safetensors")


def test_splits_must_not_overlap(tmp_path):
    search = open_item_set(write_item_set(tmp_path / "a.safetensors", images(), LABELS))
    held_out = open_item_set(write_item_set(tmp_path / "b.safetensors", images(6, seed=1), LABELS))
    check_disjoint(search.ids, held_out.ids, objective="digits")
    mixed = [*held_out.ids[:3], *search.ids]
    with pytest.raises(ItemSetError, match=r"'digits': 6 of 9 .*indices 3, 4, 5, 6, 7, \.\.\."):
        check_disjoint(search.ids, mixed, objective="digits")
