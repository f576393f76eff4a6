"""Objects on S3 as files: whole, of one version, fetched once, whatever the network and other processes do."""

import hashlib
import multiprocessing
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from infra.services.fault_proxy import faulty, seeded
from mapmerge.errors import CheckpointError, ConfigError, IntegrityError, MissingFileError, StoreRefusedError
from mapmerge.files import objects
from mapmerge.files.objects import ChangedObjectError, find, is_remote, split
from mapmerge.files.study import StudyFiles
from tests.remote_files import QUICK, put
from tests.s3_server import reaching

DATA = os.urandom(3 * 2**16 + 7)


def test_what_is_a_uri_and_what_a_path():
    assert not is_remote("models/base")
    with pytest.raises(ConfigError, match="came gs://"):
        is_remote("gs://bucket/base")
    for uri in ("s3://", "s3://bucket", "s3://bucket/", "s3:///key"):
        with pytest.raises(ConfigError, match="expected s3://bucket/key"):
            split(uri)


SLOW = pytest.mark.slow


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(objects, "PART", 2**14)


def whole_files(own_cache: Path) -> list[Path]:
    return [path for path in own_cache.glob("*/*") if not path.parent.name.startswith(".")]


@SLOW
@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_a_copy_is_the_object(data, s3, own_cache, tmp_path, small_parts):
    put(f"{s3}/a b/x.bin", data)
    path = StudyFiles(tmp_path).path(f"{s3}/a b/x.bin", "base")
    assert path.read_bytes() == data
    assert path.name == "x.bin"


@SLOW
def test_a_bad_network_does_not_spoil_a_copy(s3, s3_server, own_cache, tmp_path, small_parts):
    put(f"{s3}/x", DATA)
    with faulty(s3_server.endpoint, seeded(3, share=0.3)) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        assert StudyFiles(tmp_path, patience=QUICK).path(f"{s3}/x", "base").read_bytes() == DATA
        assert set(proxy.happened) - {"pass"}


@SLOW
def test_a_version_is_fetched_once_and_a_new_one_again(s3, s3_server, own_cache, tmp_path):
    put(f"{s3}/x", b"first")
    with faulty(s3_server.endpoint, []) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        files = StudyFiles(tmp_path)
        path = files.path(f"{s3}/x", "base")
        assert len(proxy.happened) == 2  # where is it, and its bytes
        assert StudyFiles(tmp_path).path(f"{s3}/x", "base") == path
        assert len(proxy.happened) == 3
        put(f"{s3}/x", b"other")
        assert StudyFiles(tmp_path).path(f"{s3}/x", "base").read_bytes() == b"other"
        assert files.path(f"{s3}/x", "base").read_bytes() == b"first"  # one study sees one version


@SLOW
def test_an_object_that_is_replaced_while_it_is_read_is_refused(s3, own_cache, tmp_path, small_parts, monkeypatch):
    put(f"{s3}/x", DATA)
    found = find(f"{s3}/x", QUICK)
    assert found.read(0, 5) == DATA[:5]
    parts = objects.RemoteObject.read_many

    def replaced(self, ranges):
        read = parts(self, ranges)
        put(f"{s3}/x", DATA[::-1])
        return read

    monkeypatch.setattr(objects.RemoteObject, "read_many", replaced)
    with pytest.raises(ChangedObjectError, match=rf"base: {s3}/x: was replaced or removed while it was read"):
        StudyFiles(tmp_path).path(f"{s3}/x", "base")
    assert whole_files(own_cache) == []


@SLOW
def test_bytes_that_are_not_those_of_the_store(s3, tmp_path):
    put(f"{s3}/x", DATA)
    found = find(f"{s3}/x", QUICK)
    assert found.md5 == hashlib.md5(DATA).hexdigest()
    other = objects.RemoteObject(found.uri, found.size, found.etag, "0" * 32, found.server, QUICK)
    with pytest.raises(IntegrityError, match="expected bytes with the MD5 000"):
        other.copy(tmp_path / "copy")


@SLOW
def test_a_bad_header_is_refused_before_anything_large_is_fetched(s3, s3_server, own_cache, tmp_path):
    whole = save({"w": torch.zeros(2**20)})
    with faulty(s3_server.endpoint, []) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        for data, said in (
            (whole[:-5], "the file is truncated"),
            (b"PK\x03\x04" + bytes(2**22), "a zip archive"),
            ((2**40).to_bytes(8, "little") + b"{" + bytes(2**22), "does not begin like one"),
        ):
            put(f"{s3}/x.safetensors", data)
            proxy.spoil([])
            with pytest.raises(CheckpointError, match=rf"experts.1.checkpoint: {s3}/x.safetensors: .*{said}"):
                StudyFiles(tmp_path).checkpoint(f"{s3}/x.safetensors", "experts.1.checkpoint")
            assert len(proxy.happened) <= 3  # where it is, and at most two short reads
    assert whole_files(own_cache) == []


@SLOW
def test_a_folder_on_s3_is_as_a_folder_here(s3, own_cache, tmp_path):
    put(f"{s3}/good/model.safetensors", save({"w": torch.ones(2)}))
    files = StudyFiles(tmp_path)
    for location in (f"{s3}/good", f"{s3}/good/", f"{s3}/good/model.safetensors"):
        assert files.checkpoint(location, "base").tensor("w").tolist() == [1.0, 1.0]
    put(f"{s3}/cut/model.safetensors.index.json", b"{}")
    put(f"{s3}/pickled/pytorch_model.bin", b"")
    for name, said in (("cut", "cut into shards"), ("pickled", "a pickle, which is never opened")):
        with pytest.raises(CheckpointError, match=rf"base: {s3}/{name}: .*{said}"):
            files.checkpoint(f"{s3}/{name}", "base")


@SLOW
def test_what_cannot_be_had_is_named_by_its_key(s3, s3_server, own_cache, tmp_path):
    files = StudyFiles(tmp_path)
    with pytest.raises(MissingFileError, match=rf"objectives.0.search: {s3}/x: there is no such object"):
        files.path(f"{s3}/x", "objectives.0.search")
    with pytest.raises(MissingFileError, match=rf"base: {s3}/x: there is no such object"):
        files.checkpoint(f"{s3}/x", "base")
    with pytest.raises(StoreRefusedError, match=r"base: s3://no-such-bucket/x: .*there is no such bucket"):
        files.path("s3://no-such-bucket/x", "base")
    with pytest.raises(ConfigError, match="base: gs://b/x: expected a path or s3://bucket/key"):
        files.path("gs://b/x", "base")
    with reaching({**s3_server.environment(), "AWS_SECRET_ACCESS_KEY": "wrong-word"}):
        with pytest.raises(StoreRefusedError, match=rf"base: {s3}/x: expected to be let in, came 403") as refused:
            StudyFiles(tmp_path).path(f"{s3}/x", "base")
        assert not re.search(f"wrong-word|{s3_server.key}", str(refused.value))


@SLOW
def test_what_is_no_longer_used_makes_room(s3, own_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("MAPMERGE_CACHE_LIMIT", "300K")
    for name in "abc":
        put(f"{s3}/{name}", DATA)
    files = StudyFiles(tmp_path)
    first = files.path(f"{s3}/a", "base")
    with pytest.raises(ConfigError, match=r"objectives.0.search: .*MAPMERGE_CACHE_LIMIT allows 307200 in all"):
        files.path(f"{s3}/b", "objectives.0.search")
    assert first.read_bytes() == DATA
    del files
    second = StudyFiles(tmp_path).path(f"{s3}/b", "base")
    assert (first.exists(), second.read_bytes()) == (False, DATA)


@SLOW
def test_options_name_files_however_deep(s3, own_cache, tmp_path):
    put(f"{s3}/x.json", b"{}")
    options = {"a": [{"b": f"{s3}/x.json"}, 3], "c": "x.json", "d": None}
    found = StudyFiles(tmp_path).options(options, "options")
    assert Path(found["a"][0]["b"]).read_bytes() == b"{}"
    assert found | {"a": 0} == options | {"a": 0}
    with pytest.raises(MissingFileError, match=r"options\.a\.0: "):
        StudyFiles(tmp_path).options({"a": [f"{s3}/y.json"]}, "options")


def _fetch(uri: str, root: str, answers) -> None:
    answers.put(hashlib.sha256(StudyFiles(Path(root)).path(uri, "base").read_bytes()).hexdigest())


@SLOW
def test_two_processes_fetch_once_between_them(s3, s3_server, own_cache, tmp_path):
    data = os.urandom(40 * 2**20)
    put(f"{s3}/x", data)
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    with faulty(s3_server.endpoint, []) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        processes = [spawn.Process(target=_fetch, args=(f"{s3}/x", str(tmp_path), answers)) for _ in range(2)]
        for process in processes:
            process.start()
        digests = {answers.get(timeout=60) for _ in processes}
        for process in processes:
            process.join()
        assert len(proxy.happened) == 2 + 5  # each asked where it is; its parts were fetched once
    assert digests == {hashlib.sha256(data).hexdigest()}


@SLOW
def test_a_process_that_is_killed_leaves_no_half_file(s3, s3_server, own_cache, tmp_path):
    data = os.urandom(80 * 2**20)
    put(f"{s3}/x", data)
    spawn = multiprocessing.get_context("spawn")
    answers, hang = spawn.Queue(), ["pass"] * 10 + ["hang"] * 5
    with faulty(s3_server.endpoint, hang) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        process = spawn.Process(target=_fetch, args=(f"{s3}/x", str(tmp_path), answers))
        process.start()
        end = time.monotonic() + 60
        while "hang" not in proxy.happened and time.monotonic() < end:
            time.sleep(0.05)
        halves = list(own_cache.glob(".*/x"))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert halves, "it was killed while it wrote"
        assert whole_files(own_cache) == []
        proxy.spoil([])
        assert StudyFiles(tmp_path).path(f"{s3}/x", "base").read_bytes() == data
    assert list(own_cache.glob(".*/x")) == []


@SLOW
def test_threads_of_one_process_share_a_copy(s3, own_cache, tmp_path):
    put(f"{s3}/x", DATA)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(StudyFiles(tmp_path).path(f"{s3}/x", "base"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert {path.read_bytes() for path in found} == {DATA}
