"""Base and task vectors as one memory-mapped matrix, built once and shared by all processes of a machine."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mapmerge.checkpoints.compare import Piece, require_same_tensors, subtract
from mapmerge.checkpoints.fingerprint import Fingerprint
from mapmerge.checkpoints.open import PIECE, Checkpoint
from mapmerge.errors import CheckpointError, IntegrityError
from mapmerge.merging.layout import Layout
from mapmerge.shelf import Held, Shelf

SCHEMA = "mapmerge/task-matrix/2"
_MATRIX = "matrix.f32"
_LAYOUT = "layout.json"


@dataclass(frozen=True, eq=False)
class TaskMatrix:
    """Row 0 is the base, rows 1 to k are the task vectors (expert minus base), all float32 and in one layout.

    The rows are mapped from a file: processes on one machine share its pages, and nothing is read before it is needed.

    Args:
        path: the folder with `matrix.f32` (raw little-endian float32, shape [k+1, d]) and `layout.json`.
        key: hex SHA-256 of what it was built from.
        fingerprints: of the contents of base and experts, length k+1.
        layout: where each tensor lies in a row.
        rows: shape [k+1, d], not to be written.
        held: keeps the file on its shelf as long as it is used; None: whoever opened it sees to that.
    """

    path: Path
    key: str
    fingerprints: tuple[str, ...]
    layout: Layout
    rows: torch.Tensor
    held: Held | None = None

    @property
    def k(self) -> int:
        """Number of experts."""
        return len(self.rows) - 1

    @property
    def base(self) -> torch.Tensor:
        """The base model, shape [d]."""
        return self.rows[0]

    @property
    def vectors(self) -> torch.Tensor:
        """The task vectors, shape [k, d], contiguous."""
        return self.rows[1:]

    def pieces(self, names: Iterable[str]) -> Iterator[Piece]:
        """Walk through tensors, a bounded piece at a time: the same values as `checkpoints.compare.pieces` reads."""
        for name in names:
            slot = self.layout.by_name[name]
            for start in range(0, slot.size, PIECE):
                columns = slice(slot.offset + start, slot.offset + min(start + PIECE, slot.size))
                yield Piece(name, start, self.base[columns], self.vectors[:, columns])

    @classmethod
    def build(
        cls,
        cache: str | Path,
        base: Checkpoint,
        experts: Sequence[Checkpoint],
        *,
        told: Callable[[int, int], None] | None = None,
    ) -> "TaskMatrix":
        """Return the matrix of a base and its experts, built only where the cache does not have it yet.

        Several processes may call this at the same time: one builds, the others wait and map what it built. Every
        checkpoint is read once, straight into its row, and a checkpoint whose version is known is not read at all where
        the matrix is there.

        Args:
            cache: folder for matrices; each one takes 4 (k+1) d bytes, in a subfolder named by its key.
            base: the common ancestor.
            experts: k checkpoints with the tensors of the base; their order is the order of rows.
            told: is told after each piece how many bytes of the matrix are written, and how many there will be.

        Raises:
            CheckpointError: an expert has not the tensors of the base, or there is nothing to merge.

        >>> import tempfile, safetensors.torch
        >>> from mapmerge.checkpoints import open_checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, value in {"base": 3.0, "expert": 3.5}.items():
        ...         safetensors.torch.save_file({"w": torch.tensor([value])}, f"{folder}/{name}.safetensors")
        ...     base, expert = (open_checkpoint(f"{folder}/{name}.safetensors") for name in ("base", "expert"))
        ...     matrix = TaskMatrix.build(f"{folder}/cache", base, [expert])
        ...     matrix.layout.view(matrix.vectors[0], "w")
        tensor([0.5000])
        """
        require_same_tensors(base, experts)
        layout = Layout.of(base)
        if layout.d == 0:
            raise CheckpointError(f"{base.said}: expected floating-point tensors to merge, but there are none")
        key = _key(base, experts)

        def is_whole(folder: Path) -> bool:
            try:
                return cls.open(folder).key == key
            except (IntegrityError, FileNotFoundError):
                return False  # nothing there, or half of it

        size = 4 * (1 + len(experts)) * layout.d
        held = Shelf(cache).keep(key, size, lambda draft: _write(draft, key, layout, base, experts, told), is_whole)
        return replace(cls.open(held.path), held=held)

    @classmethod
    def open(cls, path: str | Path) -> "TaskMatrix":
        """Map a matrix that `build` made.

        Raises:
            FileNotFoundError: there is no matrix.
            IntegrityError: it is damaged, or its size is not what the layout says.
        """
        path = Path(path)
        try:
            about = json.loads((path / _LAYOUT).read_text(encoding="utf-8"))
            schema, key, rows = about["schema"], str(about["key"]), int(about["rows"])
            fingerprints = tuple(map(str, about["fingerprints"]))
            layout = Layout.from_json(about["layout"])
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{path / _LAYOUT}: is damaged: {error}; remove the folder") from error
        size = (path / _MATRIX).stat().st_size
        if schema != SCHEMA or rows < 2 or len(fingerprints) != rows or size != 4 * rows * layout.d or size == 0:
            raise IntegrityError(
                f"{path}: expected {rows} rows of {layout.d} float32, came {size} bytes; remove the folder"
            )
        # Mode "c" is a private mapping: its pages are shared as long as nobody writes, and nobody does.
        mapped = np.memmap(path / _MATRIX, dtype="<f4", mode="c", shape=(rows, layout.d))
        return cls(path, key, fingerprints, layout, torch.from_numpy(mapped))


def _key(base: Checkpoint, experts: Sequence[Checkpoint]) -> str:
    content = [SCHEMA, *(each.source.version or each.fingerprint() for each in (base, *experts))]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _write(
    folder: Path,
    key: str,
    layout: Layout,
    base: Checkpoint,
    experts: Sequence[Checkpoint],
    told: Callable[[int, int], None] | None,
) -> None:
    checkpoints = (base, *experts)
    contents = [Fingerprint() for _ in checkpoints]
    written, size = 0, 4 * len(checkpoints) * layout.d

    def read(number: int, name: str, span: tuple[int, int]) -> torch.Tensor:
        raw = checkpoints[number].raw(name, *span)
        contents[number].add(raw)
        return checkpoints[number].values(name, raw)

    with (folder / _MATRIX).open("wb") as file, ThreadPoolExecutor(len(checkpoints)) as threads:
        file.truncate(size)  # padding stays a hole, which reads as zeros
        for name in base.names:
            for fingerprint, checkpoint in zip(contents, checkpoints, strict=True):
                fingerprint.begin(name, checkpoint.entries[name])
            for span in base.spans(name):
                # Side by side, because a source may be far away.
                ours, *others = threads.map(partial(read, name=name, span=span), range(len(checkpoints)))
                if name not in layout.by_name:
                    continue
                piece = subtract(name, span[0], ours, others)
                for row, values in enumerate((piece.base, *piece.vectors)):
                    file.seek(4 * (row * layout.d + layout.by_name[name].offset + piece.start))
                    written += file.write(values.numpy().astype("<f4", copy=False).data)
                if told is not None:
                    told(written, size)
    fingerprints = [fingerprint.hexdigest() for fingerprint in contents]
    about = {
        "schema": SCHEMA,
        "key": key,
        "rows": len(checkpoints),
        "fingerprints": fingerprints,
        "layout": layout.to_json(),
    }
    (folder / _LAYOUT).write_text(json.dumps(about), encoding="utf-8")
