"""What S3 does on a bad day: the store waits for what passes, and goes on."""

import logging
import subprocess
import sys
import threading
import time
from itertools import repeat

import pytest

from infra.services.fault_proxy import FAULTS, PASS, seeded
from mapmerge.errors import IntegrityError, MissingFileError, StoreAwayError
from mapmerge.ledger.lease import Lease
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.store import Store
from tests.ledger.calls import ALL

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_survives_faults(spoiled, s3_server, caplog, seed):
    store, proxy = spoiled(seeded(seed))
    keys = [f"a/{number:02d}.json" for number in range(15)]
    with caplog.at_level(logging.DEBUG, logger="mapmerge"):
        for number, key in enumerate(keys):
            assert store.create(key, b"x" * number)
            assert not store.create(key, b"other")
        assert store.list("a") == keys
        assert store.read_many([*keys, "a/none.json"]) == {key: b"x" * number for number, key in enumerate(keys)}
        for key in keys[:5]:
            store.replace(key, b"new" * 100_000)
            assert store.read(key) == b"new" * 100_000
            with pytest.raises(IntegrityError, match="at most 5 bytes"):
                store.read(key, limit=5)
            store.move(key, f"b/{key}")
            assert not store.exists(key)
            with pytest.raises(MissingFileError):
                store.read(key)
        for key in keys[5:]:
            store.delete(key)
        assert store.list() == [f"b/{key}" for key in keys[:5]]
    assert set(proxy.happened) == {PASS, *FAULTS}
    assert s3_server.secret not in caplog.text


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_survived_by_each_call(spoiled, fault):
    store, proxy = spoiled(())
    for act in ALL.values():
        store.replace("a.json", b"0")
        proxy.spoil([fault, fault])
        act(store)
        assert fault in proxy.happened


def test_one_try_is_one_request(spoiled):
    """Nobody below the store tries again, so that pauses are not multiplied."""
    store, proxy = spoiled(repeat("503"))
    for name, act in ALL.items():
        proxy.spoil(repeat("503"))
        with pytest.raises(StoreAwayError, match=r"503|SlowDown"):
            act(store.with_patience(Patience(in_all=0.0)))
        assert len(proxy.happened) == (2 if name == "read_many" else 1)  # which asks for two objects


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("fault", "patience"),
    [("hang", Patience(silence=0.3, pause=0.01)), ("trickle", Patience(call=0.3, pause=0.01))],
)
def test_nobody_waits_for_ever(spoiled, fault, patience):
    """Until the end of the test the proxy neither answers nor hangs up."""
    store, proxy = spoiled(())
    store.replace("a.json", b"0")
    store = store.with_patience(patience)
    for act in (lambda: store.read("a.json"), lambda: store.list(), lambda: store.replace("a.json", b"1")):
        proxy.spoil([fault])
        act()
        assert proxy.happened[0] == fault
        assert PASS in proxy.happened


@pytest.mark.parametrize("faults", [["lose"], ["lose", "lose"], ["lose", "503"], ["lose", "refuse", "lose"]])
def test_who_lost_the_answer_still_is_the_one_who_wrote(spoiled, faults):
    store, _ = spoiled(faults)
    assert store.create("lease.json", b"mine")
    assert not store.create("lease.json", b"mine")
    assert store.read("lease.json") == b"mine"


def test_equal_bytes_of_another_writer_are_not_ones_own(spoiled):
    store, proxy = spoiled(())
    assert store.create("manifest.json", b"same")
    proxy.spoil(["lose", "503", "lose"])
    assert not store.create("manifest.json", b"same")


@pytest.mark.parametrize("seed", [3, 4])
def test_of_many_threads_one_wins_through_faults(spoiled, seed):
    store, _ = spoiled(seeded(seed))
    wins, gate = [], threading.Barrier(8)

    def write(writer):
        for number in range(4):
            gate.wait()
            if store.create(f"{number}.json", b"the same of all"):
                wins.append(number)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(wins) == [0, 1, 2, 3]


@pytest.fixture
def restarts(s3_server):
    """Stop the server for some seconds, then start it: `restarts(seconds)` returns the thread that does."""
    threads = []

    def begin(seconds):
        s3_server.kill()

        def start():
            time.sleep(seconds)
            s3_server.start()

        threads.append(threading.Thread(target=start))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()


def test_calls_go_on_when_the_server_is_back(s3, restarts):
    store = Store(s3)
    store.create("a.json", b"1")
    for act, outcome in (
        (lambda: store.read("a.json"), b"1"),
        (lambda: store.create("b.json", b"2"), True),
        (lambda: store.read_many(["a.json", "b.json"]), {"a.json": b"1", "b.json": b"2"}),
    ):
        restarts(1.0)
        assert act() == outcome
    assert store.list() == ["a.json", "b.json"]


def test_the_middle_of_many_reads_and_writes_is_no_worse(s3, s3_server):
    store, done, failed = Store(s3), [], []

    def work(worker):
        try:
            for number in range(40):
                key = f"{worker}/{number:02d}.json"
                assert store.create(key, bytes([number]) * 1000)
                assert store.read(key) == bytes([number]) * 1000
                done.append(key)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    while len(done) < 20 and not failed:
        time.sleep(0.01)
    s3_server.kill()
    time.sleep(2.0)
    s3_server.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert store.list() == sorted(done)
    assert len(done) == 120


def test_a_lease_outlives_an_outage_longer_than_its_patience(s3, restarts):
    with Lease(Store(s3), beat=0.05, stale_after=0.2) as lease:
        restarts(1.0)
        lease.check()
    with Lease(Store(s3)) as lease:
        lease.check()


FORK = """
import multiprocessing, sys
from mapmerge.ledger.store import Store

store = Store(sys.argv[1])
store.create("a.json", b"1")

def child(number):
    return store.read("a.json"), store.create(f"{number}.json", b"2"), store.create("one.json", b"3")

with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(child, [f"fork-{number}" for number in range(4)]))
print(store.list(), store.create("parent.json", b"4"))
"""


def test_a_store_works_on_both_sides_of_a_fork(s3, tmp_path):
    script = tmp_path / "fork.py"
    script.write_text(FORK)
    said = subprocess.run([sys.executable, script, s3], capture_output=True, text=True, timeout=120, check=True).stdout
    assert said.count("(b'1', True, ") == 4
    assert said.count("True, True)") == 1
    assert "'fork-0.json', 'fork-1.json', 'fork-2.json', 'fork-3.json', 'one.json'] True" in said
