"""Checkpoints on S3 are read where they are, once a machine, straight into the matrix: the same bits as from a file."""

import random

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file

from infra.services.fault_proxy import faulty, seeded
from mapmerge.checkpoints import open_checkpoint, preflight
from mapmerge.checkpoints.open import Checkpoint
from mapmerge.errors import CheckpointError
from mapmerge.files import weights
from mapmerge.files.objects import ChangedObjectError, find
from mapmerge.files.study import StudyFiles
from mapmerge.files.weights import RemoteWeights
from mapmerge.merging import TaskMatrix
from tests.remote_files import QUICK, put
from tests.s3_server import reaching

pytestmark = pytest.mark.slow

NAMES = ("base", "one", "two")


def state(seed):
    """A model whose tensors are of many sizes and dtypes, in an order of its own in the file."""
    rng = torch.Generator().manual_seed(seed)
    sizes = {"z": (300, 70), "a": (5,), "m.10": (400, 50), "m.2": (64, 64), "empty": (0, 3)}
    tensors = {name: torch.randn(size, generator=rng) for name, size in sizes.items()}
    return tensors | {"half": torch.randn(9, 9, generator=rng).to(torch.bfloat16), "count": torch.tensor([7])}


@pytest.fixture
def family(s3, tmp_path):
    """The same base and experts as files and on S3."""
    for seed, name in enumerate(NAMES):
        save_file(state(seed), tmp_path / f"{name}.safetensors")
        put(f"{s3}/{name}.safetensors", (tmp_path / f"{name}.safetensors").read_bytes())
    return [open_checkpoint(tmp_path / f"{name}.safetensors") for name in NAMES]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(weights, "BLOCK", 10_000)
    monkeypatch.setattr(weights, "_PICKED", 300)


def opened(s3, tmp_path) -> list[Checkpoint]:
    files = StudyFiles(tmp_path, patience=QUICK)
    return [files.checkpoint(f"{s3}/{name}.safetensors", name) for name in NAMES]


def test_any_range_is_what_the_file_has(s3, small_blocks):
    data = np.random.default_rng(0).bytes(123_457)
    put(f"{s3}/x", data)
    source, rng = RemoteWeights(find(f"{s3}/x", QUICK)), random.Random(0)
    end = 0
    for _ in range(300):  # some go on where the last one ended
        start = end if rng.random() < 0.5 else rng.randrange(len(data))
        end = min(len(data), start + int(10 ** rng.uniform(0, 5)))
        assert source.read(start, end).tobytes() == data[start:end]
        assert len(source._blocks) <= weights._KEPT


def test_tensors_and_fingerprints_are_those_of_the_file(family, s3, tmp_path, small_blocks):
    for local, remote in zip(family, opened(s3, tmp_path), strict=True):
        assert remote.names == local.names
        for name in local.names:
            assert torch.equal(remote.tensor(name), local.tensor(name))
        assert remote.fingerprint() == local.fingerprint()


def test_the_matrix_is_the_same_and_read_once_a_machine(family, s3, s3_server, tmp_path, small_blocks):
    base, *experts = family
    here = TaskMatrix.build(tmp_path / "here", base, experts)
    size = sum(len(save(state(seed))) for seed in range(len(NAMES)))
    with faulty(s3_server.endpoint, []) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        base, *experts = opened(s3, tmp_path)
        asked = len(proxy.happened)
        there = TaskMatrix.build(tmp_path / "there", base, experts)
        assert torch.equal(there.rows, here.rows)
        assert there.fingerprints == here.fingerprints
        # In blocks, with a few more where the order of names is not that of the file.
        assert len(proxy.happened) - asked < 2 * size / weights.BLOCK
        base, *experts = opened(s3, tmp_path)
        asked = len(proxy.happened)
        again = TaskMatrix.build(tmp_path / "there", base, experts)
        assert (again.path, again.fingerprints) == (there.path, there.fingerprints)
        assert len(proxy.happened) == asked
        put(f"{s3}/two.safetensors", save(state(9)))
        base, *experts = opened(s3, tmp_path)
        other = TaskMatrix.build(tmp_path / "there", base, experts)
        assert other.fingerprints[:2] == there.fingerprints[:2]
        assert other.fingerprints[2] != there.fingerprints[2]


def test_preflight_finds_the_same_in_the_matrix(family, tmp_path):
    base, *experts = family
    named = dict(zip(NAMES[1:], experts, strict=True))
    matrix = TaskMatrix.build(tmp_path / "here", base, experts)
    files, rows = (preflight(base, named, max_relative_norm=9.0, read=read) for read in (None, matrix.pieces))
    # Pieces of another shape are summed in another order, which some processors let be seen in the last bits.
    for name, report in files.experts.items():
        assert rows.experts[name].changed == report.changed
        assert rows.experts[name].relative_norm == pytest.approx(report.relative_norm, rel=1e-6)
    np.testing.assert_allclose(files.cosines, rows.cosines, atol=1e-6)


def test_a_bad_network_does_not_spoil_a_matrix(family, s3, s3_server, tmp_path, small_blocks):
    base, *experts = family
    here = TaskMatrix.build(tmp_path / "here", base, experts)
    with faulty(s3_server.endpoint, seeded(5, share=0.3)) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        base, *experts = opened(s3, tmp_path)
        assert torch.equal(TaskMatrix.build(tmp_path / "there", base, experts).rows, here.rows)
        assert set(proxy.happened) - {"pass"}


def test_an_expert_that_is_replaced_while_it_is_read_is_refused(family, s3, tmp_path):
    base, *experts = opened(s3, tmp_path)
    put(f"{s3}/two.safetensors", save(state(9)))
    with pytest.raises(ChangedObjectError, match=rf"{s3}/two.safetensors: was replaced or removed"):
        TaskMatrix.build(tmp_path / "there", base, experts)
    assert not list((tmp_path / "there").glob("*/matrix.f32"))


def test_an_expert_of_other_tensors_is_refused_by_its_header(family, s3, s3_server, tmp_path):
    put(f"{s3}/two.safetensors", save({**state(2), "z": torch.zeros(2**20)}))
    with faulty(s3_server.endpoint, []) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        base, *experts = opened(s3, tmp_path)
        asked = len(proxy.happened)
        with pytest.raises(CheckpointError, match=rf"{s3}/two.safetensors: 'z': expected shape"):
            TaskMatrix.build(tmp_path / "there", base, experts)
        assert len(proxy.happened) == asked


def test_small_files_beside_a_checkpoint(s3, tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_bytes(b"{}")
    put(f"{s3}/base/config.json", b"{}")
    files = StudyFiles(tmp_path)
    for folder in ("base", f"{tmp_path}/base", f"{s3}/base"):
        for location in (folder, f"{folder}/model.safetensors"):
            assert files.beside(location, "config.json", 100) == b"{}"
            assert files.beside(location, "config.json", 1) == b"{"
            assert files.beside(location, "other.json", 100) is None
        assert files.beside(f"{folder}/expert.safetensors", "config.json", 100) is None
