import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from mapmerge.checkpoints import open_checkpoint
from mapmerge.errors import CheckpointError, IntegrityError
from mapmerge.merging import TaskMatrix, task_matrix

if TYPE_CHECKING:
    from conftest import Family


def test_rows_are_base_and_differences(family: "Family", tmp_path: Path) -> None:
    matrix = TaskMatrix.build(tmp_path, family.base, family.experts)
    base, *experts = family.states
    assert matrix.k == 3
    assert matrix.base.shape == (matrix.layout.d,)
    assert matrix.vectors.shape == (3, matrix.layout.d)
    assert matrix.vectors.is_contiguous()
    for slot in matrix.layout.slots:
        assert torch.equal(matrix.layout.view(matrix.base, slot.name), base[slot.name])
        for row, expert in zip(matrix.vectors, experts, strict=True):
            assert torch.equal(matrix.layout.view(row, slot.name), expert[slot.name] - base[slot.name])
    padding = torch.ones(matrix.layout.d, dtype=torch.bool)
    for slot in matrix.layout.slots:
        padding[slot.offset : slot.offset + slot.size] = False
    assert not matrix.rows[:, padding].any()


def test_it_is_told_how_far_it_is_and_nothing_where_it_is_there(family: "Family", tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    matrix = TaskMatrix.build(tmp_path, family.base, family.experts, told=lambda *far: told.append(far))
    sizes = {size for _, size in told}
    assert sizes == {4 * (matrix.k + 1) * matrix.layout.d}
    written = [far for far, _ in told]
    assert written == sorted(written)
    assert 0 < written[0] < written[-1] <= sizes.pop()
    told.clear()
    TaskMatrix.build(tmp_path, family.base, family.experts, told=lambda *far: told.append(far))
    assert not told


def test_files_are_what_the_documentation_says(family: "Family", tmp_path: Path) -> None:
    matrix = TaskMatrix.build(tmp_path, family.base, family.experts)
    assert matrix.path == tmp_path / matrix.key
    assert (matrix.path / "matrix.f32").stat().st_size == 4 * 4 * matrix.layout.d
    about = json.loads((matrix.path / "layout.json").read_text())
    assert about["layout"] == matrix.layout.to_json()
    assert about["rows"] == 4


def test_built_once(family: "Family", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = TaskMatrix.build(tmp_path, family.base, family.experts)
    monkeypatch.delattr(task_matrix, "_write")  # a second build would fail
    second = TaskMatrix.build(tmp_path, family.base, family.experts)
    assert second.key == first.key
    assert torch.equal(second.rows, first.rows)
    assert torch.equal(TaskMatrix.open(first.path).rows, first.rows)


def test_key_depends_on_content_and_order(family: "Family", tmp_path: Path) -> None:
    first, second, third = family.experts
    combinations = [[first, second], [second, first], [first], [first, second, third]]
    keys = {TaskMatrix.build(tmp_path, family.base, experts).key for experts in combinations}
    assert len(keys) == 4
    assert TaskMatrix.build(tmp_path, first, [family.base]).key not in keys


def test_differences_of_half_precision_are_taken_in_float32(tmp_path: Path) -> None:
    values = {"base": torch.tensor([256.0, 1.0]), "expert": torch.tensor([258.0, 1.0078125])}
    for name, value in values.items():
        save_file({"w": value.bfloat16()}, tmp_path / f"{name}.safetensors")
    base, expert = (open_checkpoint(tmp_path / f"{name}.safetensors") for name in values)
    matrix = TaskMatrix.build(tmp_path / "cache", base, [expert])
    assert matrix.vectors[0, :2].tolist() == [2.0, 0.0078125]


def test_writing_to_the_mapping_leaves_the_file_alone(family: "Family", tmp_path: Path) -> None:
    matrix = TaskMatrix.build(tmp_path, family.base, family.experts)
    before = (matrix.path / "matrix.f32").read_bytes()
    matrix.base.zero_()
    assert (matrix.path / "matrix.f32").read_bytes() == before


@pytest.mark.parametrize(
    "damage", ["short", "no matrix", "no layout", "nonsense", "other key", "other schema", "empty"]
)
def test_a_damaged_matrix_is_built_again(damage: str, family: "Family", tmp_path: Path) -> None:
    whole = TaskMatrix.build(tmp_path, family.base, family.experts)
    rows = whole.rows.clone()
    matrix, layout = whole.path / "matrix.f32", whole.path / "layout.json"
    about = json.loads(layout.read_text())
    match damage:
        case "short":
            matrix.write_bytes(matrix.read_bytes()[:-4])
        case "no matrix":
            matrix.unlink()
        case "no layout":
            layout.unlink()
        case "nonsense":
            layout.write_text("{")
        case "other key":
            layout.write_text(json.dumps(about | {"key": "0" * 64}))
        case "other schema":
            layout.write_text(json.dumps(about | {"schema": "mapmerge/task-matrix/0"}))
        case "empty":
            matrix.unlink()
            layout.unlink()
    if damage != "other key":
        with pytest.raises((IntegrityError, FileNotFoundError)):
            TaskMatrix.open(whole.path)
    assert torch.equal(TaskMatrix.build(tmp_path, family.base, family.experts).rows, rows)


def test_a_failed_build_leaves_nothing(family: "Family", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(task_matrix, "_write", full_disk)
        with pytest.raises(OSError, match="No space"):
            TaskMatrix.build(tmp_path, family.base, family.experts)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert TaskMatrix.build(tmp_path, family.base, family.experts).k == 3


BUILD = """
import sys
from mapmerge.checkpoints import open_checkpoint
from mapmerge.merging import TaskMatrix
folder, cache = sys.argv[1:]
base, *experts = (open_checkpoint(f"{folder}/{index}.safetensors") for index in range(4))
print(TaskMatrix.build(cache, base, experts).key)
"""


@pytest.mark.slow
def test_several_processes_at_once(family: "Family", tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILD, str(family.folder), str(tmp_path)]
    builders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    keys = {builder.communicate(timeout=120)[0].strip() for builder in builders}
    assert keys == {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert len(keys) == 1


def test_experts_that_do_not_fit(family: "Family", tmp_path: Path) -> None:
    save_file({"other": torch.ones(2)}, tmp_path / "stranger.safetensors")
    stranger = open_checkpoint(tmp_path / "stranger.safetensors")
    with pytest.raises(CheckpointError, match=r"stranger\.safetensors: unexpected tensors: 'other'"):
        TaskMatrix.build(tmp_path, family.base, [stranger])
    with pytest.raises(CheckpointError, match="at least one expert"):
        TaskMatrix.build(tmp_path, family.base, [])


def test_nothing_to_merge(tmp_path: Path) -> None:
    save_file({"steps": torch.tensor(1)}, tmp_path / "m.safetensors")
    steps = open_checkpoint(tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="expected floating-point tensors"):
        TaskMatrix.build(tmp_path, steps, [steps])
