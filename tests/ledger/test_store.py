import json
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import ConfigError, IntegrityError, MissingFileError
from mapmerge.ledger.store import Store
from tests.ledger.calls import tick


def test_objects_are_created_once(store):
    assert store.create("a/b/c.json", b"first")
    assert not store.create("a/b/c.json", b"second")
    assert store.read("a/b/c.json") == b"first"


def test_replace_overwrites(store):
    store.replace("a.json", b"1")
    store.replace("a.json", b"22")
    assert store.read("a.json") == b"22"
    assert not store.create("a.json", b"3")


def test_deleted_objects_may_be_created_again(store):
    store.create("x/a.json", b"1")
    store.delete("x/a.json")
    store.delete("x/a.json")
    assert not store.exists("x/a.json")
    assert store.create("x/a.json", b"2")


def test_what_nobody_misses_is_removed_at_once(store):
    for key in ("x/a.json", "x/b.json", "y/c.json"):
        store.create(key, b"1")
    store.discard(["x/a.json", "y/c.json", "y/never.json"])
    assert store.list() == ["x/b.json"]
    store.discard([])
    assert store.create("x/a.json", b"2")


def test_move_gives_another_key(store):
    store.create("x/a.json", b"1")
    store.move("x/a.json", "y/z/b.json")
    assert store.list() == ["y/z/b.json"]
    with pytest.raises(MissingFileError, match=r"x/a\.json"):
        store.move("x/a.json", "y/c.json")


def test_only_objects_exist_not_folders(store):
    store.create("a/b.json", b"1")
    assert store.exists("a/b.json")
    assert not store.exists("a")
    assert not store.exists("a/c.json")


def test_list_is_sorted_recursive_and_relative(store):
    assert store.list() == store.list("nothing") == []
    for key in ("b/2.json", "b/1.json", "a.json", "b/c/d.json", "bb/x.json"):
        store.create(key, b"1")
    assert store.list() == ["a.json", "b/1.json", "b/2.json", "b/c/d.json", "bb/x.json"]
    assert store.list("b") == ["b/1.json", "b/2.json", "b/c/d.json"]
    assert store.list("a.json") == store.list("b/c/d.json") == []
    assert store.child("b").list() == ["1.json", "2.json", "c/d.json"]
    assert store.child("b").child("c").read("d.json") == b"1"


def test_when_and_how_large_objects_were_written(store):
    before = time.time()
    store.create("b/c/2.json", b"22")
    store.create("b/1.json", b"")
    store.create("a.json", b"1")
    assert [(key, about.size) for key, about in store.written().items()] == [
        ("a.json", 1),
        ("b/1.json", 0),
        ("b/c/2.json", 2),
    ]
    assert list(store.written("b")) == ["b/1.json", "b/c/2.json"]
    assert list(store.child("b").written("c")) == ["c/2.json"]
    assert store.written("nothing") == {}
    first = store.written()["a.json"].time
    assert before - 1 <= first <= time.time() + 1  # clocks of file systems are coarse
    time.sleep(tick(store))
    store.replace("a.json", b"333")
    assert store.written()["a.json"].time > first
    assert store.written()["a.json"].size == 3


def test_a_missing_object_is_named(store):
    with pytest.raises(MissingFileError, match=r"a/b\.json: there is no such object"):
        store.read("a/b.json")
    store.create("a/b.json", b"1")
    with pytest.raises(FileNotFoundError):
        store.read("a")
    with pytest.raises(FileNotFoundError):
        store.read("a/b.json/c.json")


def test_reads_are_bounded(store):
    store.create("a.json", b"x" * 100)
    assert store.read("a.json", limit=100) == b"x" * 100
    with pytest.raises(IntegrityError, match="at most 99 bytes"):
        store.read("a.json", limit=99)
    assert store.read_many(["a.json"], limit=9) == {"a.json": b"x" * 10}


def test_many_reads_leave_out_what_is_missing(store):
    store.create("a.json", b"1")
    store.create("c/d.json", b"")
    assert store.read_many(["a.json", "b.json", "c/d.json"]) == {"a.json": b"1", "c/d.json": b""}
    assert store.read_many([]) == {}


def test_many_reads_hold_few_objects_at_a_time(store, monkeypatch):
    monkeypatch.setattr("mapmerge.ledger.store._AT_ONCE", 2)
    keys = [f"{number}.json" for number in range(7)]
    for key in keys:
        store.create(key, key.encode())
    asked, read = [], store._objects.read_many
    monkeypatch.setattr(store._objects, "read_many", lambda keys, limit: asked.append(keys) or read(keys, limit))
    each = store.read_each([*reversed(keys), "none.json", keys[3]])
    assert next(each) == (keys[6], keys[6].encode())
    assert asked == [[keys[6], keys[5]]]
    assert [key for key, _ in each] == keys[5::-1]
    assert max(map(len, asked)) == 2


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../a", "a/../b", "a/..", "a//b", "a/", "./a", "a\\b", "a\0b", ".hidden", "a/.b", "a b", "a\n"],
)
def test_keys_that_could_leave_the_store_are_refused(store, key):
    acts = (store.read, store.exists, store.delete, store.child)
    for act in (*acts, lambda key: store.create(key, b""), lambda key: store.discard([key])):
        with pytest.raises(ConfigError, match="store key"):
            act(key)
    with pytest.raises(ConfigError, match="store key"):
        store.move("a.json", key)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=30))
def test_no_text_leaves_the_store(tmp_path_factory, text):
    root = tmp_path_factory.getbasetemp() / "hyp" / "store"
    store = Store(str(root))
    try:
        store.create(text, b"1")
    except ConfigError:
        return
    except OSError:  # one key may be a folder of another
        return
    assert (root / text).resolve().is_relative_to(root.resolve())
    assert text in store.list()


@pytest.mark.parametrize("uri", ["http://example.org/a", "gs://bucket/a", "s3://", "memory://", "memory:///"])
def test_other_uris_are_refused(uri):
    with pytest.raises(ConfigError, match="expected"):
        Store(uri)


def test_local_uris_have_one_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Store("runs here").uri == Store(f"file://{tmp_path}/runs here").uri == f"file://{tmp_path}/runs here"
    Store("runs here").create("a.json", b"1")
    assert Store(Store("runs here").uri).read("a.json") == b"1"


def test_what_a_dead_writer_left_is_not_listed(tmp_path):
    store = Store(str(tmp_path))
    store.create("a/b.json", b"1")
    (tmp_path / "a" / ".0123.tmp").write_bytes(b"half")
    assert store.list() == ["a/b.json"]


def test_writing_leaves_nothing_behind(tmp_path):
    store = Store(str(tmp_path))
    store.create("a.json", b"1")
    store.create("a.json", b"2")
    store.replace("a.json", b"3")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_replace_leaves_nothing_behind(tmp_path):
    store = Store(str(tmp_path))
    store.create("a/b.json", b"1")
    with pytest.raises(OSError, match="a"):
        store.replace("a", b"1")
    assert store.list() == ["a/b.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


SIZE = 200_000


def rounds(store):
    return 5 if store.uri.startswith("s3:") else 30


def body(writer):
    return bytes([writer]) * SIZE


def test_of_many_threads_one_wins_and_no_reader_sees_half(store):
    wins, seen, gate, count = [], set(), threading.Barrier(9), rounds(store)

    def write(writer):
        for number in range(count):
            gate.wait()
            if store.create(f"x/{number}.bin", body(writer)):
                wins.append((number, writer))

    def read():
        for number in range(count):
            gate.wait()
            for _ in range(20):
                for data in store.read_many([f"x/{number}.bin"]).values():
                    seen.add((number, data[0], len(data), len(set(data))))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)] + [threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number, _ in wins) == list(range(count))
    for number, writer in wins:
        assert store.read(f"x/{number}.bin") == body(writer)
    assert seen <= {(number, writer, SIZE, 1) for number, writer in wins}


RACE = """
import json, sys, time
from pathlib import Path
from mapmerge.ledger.store import Store

writer, uri, rounds, size, gate = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])
store, won, torn = Store(uri), [], 0
print("ready", flush=True)
while not gate.exists():
    time.sleep(0.001)
for number in range(rounds):
    if store.create(f"x/{number}.bin", bytes([writer]) * size):
        won.append(number)
    data = store.read(f"x/{number}.bin")
    torn += data != bytes([data[0]]) * size
print(json.dumps([won, torn]))
"""


def test_of_many_processes_one_wins(shared_store, tmp_path):
    gate, count = tmp_path / "go", rounds(shared_store)
    arguments = [shared_store.uri, str(count), str(SIZE), str(gate)]
    writers = [
        subprocess.Popen([sys.executable, "-c", RACE, str(number), *arguments], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    gate.touch()
    answers = [json.loads(writer.communicate(timeout=120)[0]) for writer in writers]
    assert sorted(number for won, _ in answers for number in won) == list(range(count))
    assert [torn for _, torn in answers] == [0, 0, 0, 0]
    for writer, (won, _) in enumerate(answers):
        assert all(shared_store.read(f"x/{number}.bin") == body(writer) for number in won)
