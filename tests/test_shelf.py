"""The shelf: made once, never half, never removed in use, and not larger than its limit."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from mapmerge.errors import ConfigError
from mapmerge.shelf import Shelf, cache_limit

A, B, C, D = (letter * 32 for letter in "abcd")


def write(size: int):
    return lambda draft: (draft / "data").write_bytes(b"x" * size)


def is_whole(entry: Path) -> bool:
    return (entry / "data").is_file()


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def use(shelf: Shelf, key: str, size: int = 10):
    return shelf.keep(key, size, write(size), is_whole)


def test_an_entry_is_made_once(tmp_path):
    shelf, made = Shelf(tmp_path), []

    def make(draft: Path) -> None:
        made.append(draft)
        write(3)(draft)

    held = [shelf.keep(A, 3, make, is_whole) for _ in range(2)]
    assert len(made) == 1
    assert {each.path for each in held} == {tmp_path / A}
    assert (tmp_path / A / "data").read_bytes() == b"xxx"


def test_the_least_recently_used_goes_first_and_what_is_in_use_stays(tmp_path):
    shelf = Shelf(tmp_path, limit=30)
    held = use(shelf, A)
    use(shelf, B), use(shelf, C), use(shelf, B)
    use(shelf, D)
    assert entries(tmp_path) == {A, B, D}  # A was used before C, but still is
    del held
    use(shelf, C)
    assert entries(tmp_path) == {B, C, D}


def test_no_room_is_said_and_nothing_in_use_is_lost(tmp_path, monkeypatch):
    monkeypatch.setenv("MAPMERGE_CACHE_LIMIT", "1K")
    shelf = Shelf(tmp_path)
    held = use(shelf, A, 1000)
    with pytest.raises(ConfigError, match=r"expected room for 30 bytes.*MAPMERGE_CACHE_LIMIT allows 1024"):
        use(shelf, B, 30)
    with pytest.raises(ConfigError, match="expected room"):
        Shelf(tmp_path, limit=2**80).keep(C, 2**70, write(1), is_whole)
    assert is_whole(held.path)
    assert entries(tmp_path) == {A}


def test_what_was_left_half_is_removed_and_made_again(tmp_path):
    shelf = Shelf(tmp_path, limit=25)
    (tmp_path / A).mkdir(parents=True)
    for key in (A, B):
        (tmp_path / f".{key}.20").mkdir()
    use(shelf, A)
    assert is_whole(tmp_path / A)
    assert entries(tmp_path) == {A}


def test_a_failure_leaves_nothing(tmp_path):
    def fail(draft: Path) -> None:
        write(5)(draft)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Shelf(tmp_path).keep(A, 10, fail, is_whole)
    assert entries(tmp_path) == set()
    with Shelf(tmp_path).scratch(10) as scratch:
        write(5)(scratch)
        use(Shelf(tmp_path), B)
        assert is_whole(scratch)
    assert entries(tmp_path) == {B}


@pytest.mark.parametrize("said", ["many", "-1", "1.5G", "1P"])
def test_a_limit_that_is_no_size(said, monkeypatch):
    monkeypatch.setenv("MAPMERGE_CACHE_LIMIT", said)
    with pytest.raises(ConfigError, match="expected a whole number of bytes"):
        cache_limit()


def test_limits(monkeypatch):
    for said, size in (("12", 12), ("2k", 2048), (" 3G ", 3 * 2**30), ("", None)):
        monkeypatch.setenv("MAPMERGE_CACHE_LIMIT", said)
        assert cache_limit() == size


def _hold(folder: str, limit: int, key: str, ready, slow: float) -> None:
    def make(draft: Path) -> None:
        write(5)(draft)
        ready.set()
        time.sleep(slow)
        write(10)(draft)

    held = Shelf(folder, limit=limit).keep(key, 10, make, is_whole)
    ready.set()
    time.sleep(600)
    assert held


@pytest.mark.slow
@pytest.mark.parametrize("slow", [0.0, 600.0])
def test_a_process_that_dies_lets_go(tmp_path, slow):
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=_hold, args=(str(tmp_path), 15, A, ready, slow))
    process.start()
    assert ready.wait(60)
    time.sleep(0.2 if slow == 0.0 else 0.0)
    with pytest.raises(ConfigError, match="expected room"):
        use(Shelf(tmp_path, limit=15), B)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    use(Shelf(tmp_path, limit=15), B)
    assert entries(tmp_path) == {B}
