import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save, save_file

from mapmerge.checkpoints import open as opening
from mapmerge.checkpoints import open_checkpoint
from mapmerge.checkpoints.header import MAX_HEADER_BYTES, encode_header
from mapmerge.errors import CheckpointError, MissingFileError

TENSORS = {
    "b.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a.half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "steps": torch.tensor(7),
    "mask": torch.tensor([True, False, True]),
    "nothing": torch.empty(0, 4),
}


def file(header: Any, data: bytes = b"", *, pad: int = 0) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) + pad).to_bytes(8, "little") + text + data


def tensor(*offsets: int, shape: Any = (1,), dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_reads_what_safetensors_wrote(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.said == str(tmp_path / "model.safetensors")
    assert checkpoint.names == tuple(sorted(TENSORS))
    assert checkpoint.floating == ("a.half", "b.weight", "nothing")
    for name, value in TENSORS.items():
        assert checkpoint.shapes[name] == tuple(value.shape)
        assert checkpoint.dtypes[name] == value.dtype
        assert torch.equal(checkpoint.tensor(name), value)


def test_accepts_a_string_and_a_file(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "any.safetensors")
    assert open_checkpoint(str(tmp_path / "any.safetensors")).names == tuple(sorted(TENSORS))


def test_changing_a_tensor_changes_nothing_else(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "m.safetensors")
    checkpoint = open_checkpoint(tmp_path / "m.safetensors")
    checkpoint.tensor("b.weight").zero_()
    assert torch.equal(checkpoint.tensor("b.weight"), TENSORS["b.weight"])


def test_unknown_tensor(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"no tensor 'head\.bias'"):
        open_checkpoint(tmp_path / "m.safetensors").tensor("head.bias")


def test_tensor_at_an_odd_offset(tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    header = {"flag": tensor(0, 1, dtype="U8"), "w": tensor(1, 9, shape=[2])}
    path.write_bytes(file(header, b"\x01" + torch.tensor([1.0, 2.0]).numpy().tobytes()))
    assert torch.equal(open_checkpoint(path).tensor("w"), torch.tensor([1.0, 2.0]))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.safetensors"):
        open_checkpoint(tmp_path / "nowhere.safetensors")
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors"):
        open_checkpoint(tmp_path)


def test_folder_with_shards_or_pickles(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(CheckpointError, match=r"'pytorch_model\.bin', a pickle, which is never opened"):
        open_checkpoint(tmp_path)
    (tmp_path / "model.safetensors.index.json").touch()
    with pytest.raises(CheckpointError, match="cut into shards"):
        open_checkpoint(tmp_path)


class Trap:
    """A pickle that tells when somebody loads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_pickles_are_named_and_never_opened(tmp_path: Path) -> None:
    for old in (False, True):
        buffer = io.BytesIO()
        torch.save({"w": Trap(tmp_path / "sprung")}, buffer, _use_new_zipfile_serialization=not old)
        path = tmp_path / "model.safetensors"
        path.write_bytes(buffer.getvalue())
        with pytest.raises(CheckpointError, match="a pickle; it was not" if old else "a zip archive, as torch"):
            open_checkpoint(path)
    for protocol in range(2, 6):
        path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung"), protocol=protocol))
        with pytest.raises(CheckpointError, match="a pickle; it was not opened"):
            open_checkpoint(path)
    assert not (tmp_path / "sprung").exists()


BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "short": (b"abc", "does not begin like one"),
    "text": (b"these are no weights at all", "does not begin like one"),
    "gguf": (b"GGUF\x03\x00\x00\x00{}", "a GGUF file"),
    "header cut": (file({"w": tensor(0, 4)})[:30], "truncated"),
    "absurd length": ((2**63).to_bytes(8, "little") + b"{}", "does not begin like one"),
    "no tensors": (file({"__metadata__": {}}), "holds none"),
    "not JSON": (file(b"{nonsense}"), "not valid"),
    "not UTF-8": (file(b'{"\xff\xfe": 1}'), "not valid"),
    "deep": (file(b'{"a":' + b"[" * 200_000), "not valid"),
    "huge number": (file(b'{"w":' + b"9" * 10_000 + b"}"), "not valid"),
    "long name": (file({"n" * 5000: tensor(0, 4)}, bytes(4)), "5000 characters"),
    "name twice": (
        file(b'{"w":' + json.dumps(tensor(0, 4)).encode() + b',"w":' + json.dumps(tensor(0, 4)).encode() + b"}"),
        "'w' is there twice",
    ),
    "entry is a list": (file({"w": [1]}), "needs exactly the keys"),
    "key too many": (file({"w": tensor(0, 4) | {"more": 1}}, bytes(4)), "needs exactly the keys"),
    "unknown dtype": (file({"w": tensor(0, 1, dtype="F8_E4M3")}, bytes(1)), "'F8_E4M3', expected one of BOOL"),
    "dtype is a list": (file({"w": tensor(0, 1) | {"dtype": ["F32"]}}, bytes(1)), "has dtype"),
    "negative shape": (file({"w": tensor(0, 4, shape=[-1, -1])}, bytes(4)), "no valid shape"),
    "fractional shape": (file({"w": tensor(0, 4, shape=[1.0])}, bytes(4)), "no valid shape"),
    "boolean shape": (file({"w": tensor(0, 4, shape=[True])}, bytes(4)), "no valid shape"),
    "many dimensions": (file({"w": tensor(0, 4, shape=[1] * 65)}, bytes(4)), "no valid shape"),
    "absurd shape": (file({"w": tensor(0, 4, shape=[2**40, 2**40])}, bytes(4)), "its offsets span 4"),
    "shape against offsets": (file({"w": tensor(0, 4, shape=[2])}, bytes(4)), "needs 8 bytes"),
    "negative offsets": (file({"w": tensor(-4, 0)}, bytes(4)), "not negative"),
    "three offsets": (file({"w": tensor(0, 4, 8)}, bytes(4)), "two data_offsets"),
    "data cut": (file({"w": tensor(0, 4)}, bytes(3)), "truncated"),
    "offsets beyond the file": (file({"w": tensor(2**50, 2**50 + 4)}, bytes(4)), "truncated"),
    "many values": (file(b'{"w":[' + b"0," * 300_001), "more than 300000 values"),
    "infinite number": (file(b'{"w":1e999}'), "not valid"),
    "no UTF-8": (file('{"w":1}'.encode("utf-16-le")), "not valid"),
    "absurd and empty": (file({"w": tensor(0, 0, shape=[2**62, 2**62, 0])}), "dimensions that no tensor can have"),
    "offsets reversed": (file({"w": tensor(8, 4)}, bytes(8)), "span -4"),
    "overlap": (file({"v": tensor(0, 4), "w": tensor(2, 6)}, bytes(6)), "'v' and 'w' overlap"),
    "same bytes": (file({"v": tensor(0, 4), "w": tensor(0, 4)}, bytes(4)), "'v' and 'w' overlap"),
    "gap": (file({"v": tensor(0, 4), "w": tensor(5, 9)}, bytes(9)), "belong to no tensor"),
    "begins late": (file({"w": tensor(1, 5)}, bytes(5)), "belong to no tensor"),
    "trailing bytes": (file({"w": tensor(0, 4)}, bytes(5)), "belong to no tensor"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(case: str, tmp_path: Path) -> None:
    content, message = BAD_FILES[case]
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        open_checkpoint(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 2000


def test_header_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long.safetensors"
    with path.open("wb") as out:
        out.write((MAX_HEADER_BYTES + 8).to_bytes(8, "little") + b"{")
        out.truncate(MAX_HEADER_BYTES * 4)
    with pytest.raises(CheckpointError, match="more than the 16777216 that are accepted"):
        open_checkpoint(path)


def test_names_are_never_paths(tmp_path: Path) -> None:
    names = ["../../escaped", "/tmp/escaped", "..", "a\\..\\b", "nul\x00", "\ud800", "C:\\x"]
    header = {name: tensor(4 * place, 4 * place + 4) for place, name in enumerate(names)}
    (tmp_path / "deep" / "er").mkdir(parents=True)
    path = tmp_path / "deep" / "er" / "m.safetensors"
    path.write_bytes(file(header, bytes(4 * len(names))))
    checkpoint = open_checkpoint(path)
    assert sorted(checkpoint.names) == sorted(names)
    checkpoint.fingerprint()
    assert all(checkpoint.tensor(name).item() == 0.0 for name in names)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_paths_that_no_file_can_have() -> None:
    with pytest.raises(CheckpointError, match=r"x: cannot be read: File name too long"):
        open_checkpoint("x" * 5000)
    with pytest.raises(MissingFileError, match="there is no such checkpoint"):
        open_checkpoint("a\x00b")


def test_file_that_shrinks_after_opening(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"w": torch.ones(8)}, path)
    checkpoint = open_checkpoint(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="became shorter"):
        checkpoint.tensor("w")


@given(position=st.integers(0, 400), value=st.integers(0, 255), cut=st.integers(0, 400))
@settings(max_examples=80, deadline=None)
def test_damage_gives_an_error_or_tensors_but_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int
) -> None:
    content = bytearray(save(TENSORS))
    content[position % len(content)] = value
    path = tmp_path_factory.mktemp("damaged") / "m.safetensors"
    path.write_bytes(content[: len(content) - cut] if cut < 40 else content)
    try:
        checkpoint = open_checkpoint(path)
    except CheckpointError:
        return
    for name in checkpoint.names:
        assert tuple(checkpoint.tensor(name).shape) == checkpoint.shapes[name]


shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
dtypes = st.sampled_from(["F32", "BF16", "I64", "BOOL", "F64"])


@given(tensors=st.dictionaries(st.text(min_size=1, max_size=8), st.tuples(dtypes, shapes), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_encoded_headers_are_what_safetensors_reads(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    if "__metadata__" in tensors:
        return
    head = encode_header(tensors)
    assert len(head) % 8 == 0
    width = {"F32": 4, "BF16": 2, "I64": 8, "BOOL": 1, "F64": 8}
    size = sum(width[dtype] * torch.Size(shape).numel() for dtype, shape in tensors.values())
    assert {name: tuple(value.shape) for name, value in load(head + bytes(size)).items()} == {
        name: shape for name, (_, shape) in tensors.items()
    }


class TestFingerprint:
    def of(self, tmp_path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> str:
        path = tmp_path / "m.safetensors"
        save_file(tensors, path, metadata=metadata)
        return open_checkpoint(path).fingerprint()

    def test_is_of_the_content_alone(self, tmp_path: Path) -> None:
        first = self.of(tmp_path, TENSORS)
        assert len(first) == 64
        assert self.of(tmp_path, dict(reversed(TENSORS.items())), {"note": "other bytes in the file"}) == first

    def test_sees_every_change(self, tmp_path: Path) -> None:
        weight = TENSORS["b.weight"]
        changed = weight.clone()
        changed[1, 2] += 1e-6
        variants = [
            TENSORS,
            TENSORS | {"b.weight": changed},
            TENSORS | {"b.weight": weight.reshape(3, 2)},
            TENSORS | {"b.weight": weight.view(torch.int32)},
            {("c" if name == "mask" else name): value for name, value in TENSORS.items()},
            {name: value for name, value in TENSORS.items() if name != "nothing"},
        ]
        assert len({self.of(tmp_path, variant) for variant in variants}) == len(variants)

    def test_does_not_depend_on_the_size_of_pieces(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = self.of(tmp_path, TENSORS)
        monkeypatch.setattr(opening, "PIECE", 2)
        assert self.of(tmp_path, TENSORS) == whole
