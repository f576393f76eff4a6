"""The readers that see files of strangers, with valid examples and ways to spoil them."""

import base64
import contextlib
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save

from benchmarks.hostile_mutations import bytes_changed, nested, tree_changed
from benchmarks.hostile_run import run_files
from mapmerge.checkpoints import open_checkpoint
from mapmerge.checkpoints.header import MAX_HEADER_VALUES
from mapmerge.config import read_study
from mapmerge.config.reading import MAX_BYTES
from mapmerge.errors import MapmergeError
from mapmerge.evaluators.item_sets import open_item_set
from mapmerge.finished import FinishedRun
from mapmerge.frozen import frozen_study
from mapmerge.ledger.canonical import canonical_json, content_hash, with_checksum
from mapmerge.ledger.evaluations import EvaluationLedger, evaluation_key
from mapmerge.ledger.record import VALUES_LIMIT, decode, encode
from mapmerge.report.items import look_up
from mapmerge.report.page import render

Tree = Any


@dataclass(frozen=True)
class Reader:
    """One reader.

    Args:
        examples: what it accepts.
        bombs: inputs made to take its time, its memory or its trust, one at a time.
        read: reads bytes as far as the product ever does; a `MapmergeError` is a refusal.
        spoil: changes the structure of an example, and writes it down again.
    """

    examples: list[bytes]
    bombs: Callable[[], Iterator[bytes]]
    read: Callable[[bytes], None]
    spoil: Callable[[bytes, np.random.Generator], bytes]


def mutated(reader: Reader, rng: np.random.Generator) -> bytes:
    """Return an example, spoilt: its structure, its bytes, or both."""
    data = reader.examples[rng.integers(len(reader.examples))]
    if rng.random() < 0.75:
        data = reader.spoil(data, rng)
    return bytes_changed(data, rng) if rng.random() < 0.35 else data


def _sealed(record: Tree) -> Tree:
    return with_checksum({name: value for name, value in record.items() if name != "checksum"})


# The study


def _study_reader(folder: Path) -> Reader:
    path = folder / "study.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        canonical_json(read_study(path).model_dump(mode="json"))  # as a run freezes it

    def spoil(data: bytes, rng: np.random.Generator) -> bytes:
        if rng.random() < 0.5:
            return tree_changed(yaml.safe_load(data), rng).encode()  # JSON is YAML
        lines = data.decode().splitlines()
        for _ in range(rng.integers(1, 3)):
            key, colon, value = lines[place := int(rng.integers(len(lines)))].partition(": ")
            lines[place] = f"{key}{colon}{_YAML[rng.integers(len(_YAML))]}{value if rng.random() < 0.3 else ''}"
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    def bombs() -> Iterator[bytes]:
        yield b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in range(97, 110)
        )
        for unit in (b"[", b"{a: ", b"- ", b"? ", b"1:", b"a: b\n", b"- {name: a, checkpoint: a}\n", b"!!set ", b"#"):
            yield unit * (MAX_BYTES // len(unit))
        experts = "".join(f"\n- {{name: e{n}, checkpoint: e}}" for n in range(2_800))
        yield _STUDIES[0].replace("\nobjectives", f"{experts}\nobjectives").encode()
        yield b"".join(b"k%d: 1\n" % n for n in range(MAX_BYTES // 11))
        yield b"a:\n" + b"- [a, b, c, d, e, f, g, h]\n" * (MAX_BYTES // 27 - 1)
        yield b"x: " + b"1:" * (MAX_BYTES // 2 - 9) + b"1.5\n"
        yield b"name: " + b"0x" + b"f" * 2_900
        yield b" " * 10_000_000

    return Reader([text.encode() for text in _STUDIES], bombs, read, spoil)


_YAML = [
    "!!python/object/apply:os.system [x]",
    "!!timestamp x",
    "!!bool x",
    "!!int ''",
    "*a",
    "&a ",
    "<<: {a: 1}",
    "? x",
]
_YAML += ["1:1:1:1.5", "0x" + "f" * 2500, "2001-99-99", "2001-01-01", ".nan", ".inf", "0b_", "._", "=", "| \n", "> x"]
_YAML += [
    "[" * 50,
    "{a: " * 60,
    '"\\ud800"',
    '"\\UFFFFFFFF"',
    "\ud800",
    "~",
    "yes",
    "1e999",
    "-",
    "\t",
    "%",
    "@",
    "`",
    "'",
    '"',
]
_STUDIES = [
    "name: two\nbase: base\narchitecture: torch.nn:Identity\nexperts:\n- {name: a, checkpoint: a}\n"
    "- {name: b, checkpoint: b}\nobjectives:\n- {name: a, evaluator: classification, search: s, held_out: h}\n",
    "name: all\nbase: base\narchitecture: {build: 'm.n:f', options: {width: 8, deep: [1, 2]}}\nexperts:\n- name: a\n"
    "  checkpoint: a\n- name: b\n  checkpoint: b\n- name: c\n  checkpoint: c\nobjectives:\n- name: a\n"
    "  evaluator: classification\n  search: s\n  held_out: h\n  options: {head: h.safetensors}\n  expert: b\nseed: 3\n"
    "method: map\nbudget:\n  evaluations: 30\n  front: 9\ndesign:\n  kind: sobol\n  points: 20\n  mass: [0.1, 2]\n"
    "sampling: {items: all}\ngate: {min_r2: 0.5}\nbaselines: {scalars: [0.1, 0.5]}\ncompute:\n  executor: serial\n",
    "name: tree\nbase: base\narchitecture: m.n:f\nexperts:\n- {name: a, checkpoint: a}\n- {name: b, checkpoint: b}\n"
    "- {name: c, checkpoint: c}\nobjectives:\n- {name: a, evaluator: e, search: s, held_out: h}\nmethod: nested\n"
    "nested:\n  tree: [[a, b], c]\n  preferences: [{a: 2}, {a: 1}]\n  evaluations: 12\n  refine: 5\n",
]


# The record

_RESEALED = 2**18
"""Larger inputs are not parsed here: it is the reader whose time and memory are measured."""


def _record_reader(folder: Path) -> Reader:
    inputs = {"base": "b0", "experts": [["e", "0x1.0p-1"]], "evaluator": {"name": "c", "identity": {"items": 9}}}

    def read(data: bytes) -> None:
        refused: MapmergeError | None = None
        try:
            decode(data, evaluation_key(inputs), "ledger/record.json")
        except MapmergeError as error:
            refused = error
        # A writer who means harm also hashes: what was spoilt is read again under its right key and checksum.
        try:
            sealed = json.loads(data[:_RESEALED])
            key = content_hash(sealed["inputs"])
            sealed = canonical_json(_sealed({**sealed, "key": key}))
        except (ValueError, RecursionError, KeyError, TypeError, IndexError, AttributeError):
            pass
        else:
            decode(sealed, key, "ledger/record.json")
            return
        if refused is not None:
            raise refused

    def example(outcomes: list[float], margins: bool = False) -> bytes:
        values = np.array(outcomes, dtype=np.float32)
        more = {"margins": values - np.float32(0.5)} if margins else {}
        return encode(evaluation_key(inputs), inputs, values, seconds=0.1, device="cpu", run="r", **more)

    def spoil(data: bytes, rng: np.random.Generator) -> bytes:
        return tree_changed(json.loads(data), rng).encode()

    def bombs() -> Iterator[bytes]:
        squeeze = zlib.compressobj()
        zeros = b"".join(squeeze.compress(bytes(2**20)) for _ in range(1000)) + squeeze.flush()
        outcomes = {"encoding": "float32", "compression": "zlib", "data": base64.b64encode(zeros).decode()}
        whole = json.loads(examples[0])
        for items in (9, 8_000_000, 2**18 * 1000):  # inflates to a gigabyte, whatever it says
            yield canonical_json(_sealed(whole | {"items": items, "outcomes": outcomes}))
        squeeze = zlib.compressobj()
        zeros = b"".join(squeeze.compress(bytes(32_000)) for _ in range(1000)) + squeeze.flush()
        outcomes["data"] = base64.b64encode(zeros).decode()
        yield canonical_json(_sealed(whole | {"items": 8_000_000, "outcomes": outcomes}))  # as large as they may be
        yield canonical_json(_sealed(whole | {"schema": "mapmerge/evaluation/2"}))
        for text in nested(2**24, VALUES_LIMIT):
            yield b'{"inputs":' + text
        yield b"9" * 2**20

    scores = np.random.default_rng(0).random(40).tolist()
    examples = [
        example([1.0, 0.0] * 20),
        example(scores),
        example([1.0, 0.0, 1.0], margins=True),
        example([1.0] * 4000),
    ]
    return Reader(examples, bombs, read, spoil)


# The safetensors header, of checkpoints and item sets


def _header_reader(folder: Path) -> Reader:
    path = folder / "model.safetensors"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        checkpoint = open_checkpoint(path)
        checkpoint.fingerprint()
        for name in checkpoint.names[:10]:
            checkpoint.tensor(name)
        if "labels" in checkpoint.names:
            open_item_set(path)

    def spoil(data: bytes, rng: np.random.Generator) -> bytes:
        length = int.from_bytes(data[:8], "little")
        text = tree_changed(json.loads(data[8 : 8 + length]), rng).encode()
        said = len(text) if rng.random() < 0.9 else int(rng.integers(0, 2**63))
        return said.to_bytes(8, "little") + text + data[8 + length :]

    def bombs() -> Iterator[bytes]:
        yield (2**63).to_bytes(8, "little") + b'{"w":'
        for text in (b"9" * 2**20, *nested(15 * 2**20, MAX_HEADER_VALUES)):
            text = b'{"w":' + text
            yield len(text).to_bytes(8, "little") + text
        entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
        for tensors_in_it in (30_000, 100_000):
            text = json.dumps({f"layer.{n}": entry for n in range(tensors_in_it)}).encode()
            yield len(text).to_bytes(8, "little") + text
        pickled = io.BytesIO()
        torch.save({"w": torch.ones(2)}, pickled)
        yield pickled.getvalue()

    tensors = {
        "b.weight": torch.ones(2, 3),
        "steps": torch.tensor(7),
        "none": torch.empty(0, 4),
        "h": torch.ones(2).half(),
    }
    items = {"inputs": torch.arange(12, dtype=torch.uint8).reshape(4, 3), "labels": torch.tensor([0, 1, 1, 0])}
    return Reader([save(tensors), save(items), save({"w": torch.ones(1)}, {"format": "pt"})], bombs, read, spoil)


# The run


def _run_reader(folder: Path) -> Reader:
    files = run_files(folder)
    names = sorted(files)
    place = folder / "runs" / "first"

    def read(data: bytes) -> None:
        name = names[data[0] % len(names)] if data else names[0]
        path = place / name
        path.write_bytes(data[1:])
        try:
            run = FinishedRun.open(str(place))
            ledger = EvaluationLedger(run.folder.store)
            run.folder.verify(ledger)
            run.folder.events()
            run.folder.failures()
            frozen_study(run.folder)
            list(run.rows())
            run.measured_gains()
            render(run.result, look_up(run.folder, run.result))
        finally:
            path.write_bytes(files[name])

    def spoil(data: bytes, rng: np.random.Generator) -> bytes:
        tree = json.loads(data[1:])
        text = tree_changed(tree, rng)
        if "checksum" in tree and rng.random() < 0.8:
            with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
                text = canonical_json(_sealed(json.loads(text))).decode()
        return data[:1] + text.encode()

    def bombs() -> Iterator[bytes]:
        for index in range(len(names)):
            for unit in (b"[", b'{"a":', b"9", b'"'):
                yield bytes([index]) + unit * 2**20
        for text in nested(2**22, 2**20):
            yield bytes([names.index("result.json")]) + b'{"a":' + text

    return Reader([bytes([index]) + files[name] for index, name in enumerate(names)], bombs, read, spoil)


READERS = {"study": _study_reader, "record": _record_reader, "header": _header_reader, "run": _run_reader}
"""By name, what makes a reader that works in a folder."""
