"""Base and task vectors as one memory-mapped matrix, built once and shared by all processes of a machine."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from mapmerge.checkpoints.compare import pieces, require_same_tensors
from mapmerge.checkpoints.open import Checkpoint
from mapmerge.errors import CheckpointError, IntegrityError
from mapmerge.merging.layout import Layout

SCHEMA = "mapmerge/task-matrix/1"
_MATRIX = "matrix.f32"
_LAYOUT = "layout.json"


@dataclass(frozen=True, eq=False)
class TaskMatrix:
    """Row 0 is the base, rows 1 to k are the task vectors (expert minus base), all float32 and in one layout.

    The rows are mapped from a file: processes on one machine share its pages, and nothing is read before it is needed.

    Args:
        path: the folder with `matrix.f32` (raw little-endian float32, shape [k+1, d]) and `layout.json`.
        key: hex SHA-256 of what it was built from.
        layout: where each tensor lies in a row.
        rows: shape [k+1, d], not to be written.
    """

    path: Path
    key: str
    layout: Layout
    rows: torch.Tensor

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

    @classmethod
    def build(cls, cache: str | Path, base: Checkpoint, experts: Sequence[Checkpoint]) -> "TaskMatrix":
        """Return the matrix of a base and its experts, built only where the cache does not have it yet.

        Several processes may call this at the same time: one builds, the others wait and map what it built.

        Args:
            cache: folder for matrices; each one takes 4 (k+1) d bytes, in a subfolder named by its key.
            base: the common ancestor.
            experts: k checkpoints with the tensors of the base; their order is the order of rows.

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
            raise CheckpointError(f"{base.path}: expected floating-point tensors to merge, but there are none")
        key = _key(base, experts)
        folder = Path(cache) / key
        Path(cache).mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            try:
                matrix = cls.open(folder)
                if matrix.key == key:
                    return matrix
            except (IntegrityError, FileNotFoundError):
                pass  # nothing there, or half of it: built now
            shutil.rmtree(folder, ignore_errors=True)
            draft = folder.with_name(f".{key}.{uuid.uuid4().hex}")
            draft.mkdir()
            try:
                _write(draft, key, layout, base, experts)
                draft.rename(folder)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
            return cls.open(folder)

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
            layout = Layout.from_json(about["layout"])
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"{path / _LAYOUT}: is damaged: {error}; remove the folder") from error
        size = (path / _MATRIX).stat().st_size
        if schema != SCHEMA or rows < 2 or size != 4 * rows * layout.d or size == 0:
            raise IntegrityError(
                f"{path}: expected {rows} rows of {layout.d} float32, came {size} bytes; remove the folder"
            )
        # Mode "c" is a private mapping: its pages are shared as long as nobody writes, and nobody does.
        mapped = np.memmap(path / _MATRIX, dtype="<f4", mode="c", shape=(rows, layout.d))
        return cls(path, key, layout, torch.from_numpy(mapped))


def _key(base: Checkpoint, experts: Sequence[Checkpoint]) -> str:
    content = [SCHEMA, base.fingerprint(), *(expert.fingerprint() for expert in experts)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _write(folder: Path, key: str, layout: Layout, base: Checkpoint, experts: Sequence[Checkpoint]) -> None:
    rows = 1 + len(experts)
    with (folder / _MATRIX).open("wb") as file:
        file.truncate(4 * rows * layout.d)  # padding stays a hole, which reads as zeros
        for piece in pieces(base, experts, [slot.name for slot in layout.slots]):
            start = layout.by_name[piece.name].offset + piece.start
            for row, values in enumerate((piece.base, *piece.vectors)):
                file.seek(4 * (row * layout.d + start))
                file.write(values.numpy().astype("<f4", copy=False).data)
    about = {"schema": SCHEMA, "key": key, "rows": rows, "layout": layout.to_json()}
    (folder / _LAYOUT).write_text(json.dumps(about), encoding="utf-8")
