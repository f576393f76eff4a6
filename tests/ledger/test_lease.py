import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from mapmerge.errors import RunError
from mapmerge.ledger.lease import Lease, Owner, Sign
from mapmerge.ledger.store import Store

HOLD = """
import sys
from mapmerge.ledger.lease import Lease
from mapmerge.ledger.store import Store

with Lease(Store(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def quick(store, beat=0.05, stale_after=0.2):
    return Lease(store, beat=beat, stale_after=stale_after)


@pytest.fixture
def holder(shared_store):
    """A real process that holds the lease until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, shared_store.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lease_can_be_taken_again_after_it_was_given_back(store):
    for _ in range(3):
        with Lease(store) as lease:
            lease.check()
    assert store.list() == ["000001.json", "000002.json", "000003.json"]


def test_a_lease_tells_who_holds_it(store):
    assert Lease(store).holder() is None
    with Lease(store):
        assert Lease(store).holder() == str(Owner.here())
    assert Lease(store).holder() is None


def test_the_last_sign_tells_whether_the_owner_goes_on(store):
    with Lease(store):
        sign = Sign.read(store.read("000001.json"))
        assert sign.is_living()
        assert str(sign.owner) == str(Owner.here())
    assert not Sign.read(store.read("000001.json")).is_living()
    for owner, beat, living in (
        (elsewhere(), time.time(), True),
        (elsewhere(), time.time() - 60, False),
        (replace(Owner.here(), born=1), time.time(), False),
        (elsewhere(), 1e300, False),
    ):
        write(store, owner, beat=beat)
        assert Sign.read(store.read("000001.json")).is_living() is living
    assert Sign.read(b"{") == Sign.read(b'{"beat": "now"}') == Sign(None, None, released=False)


def test_an_error_in_the_block_gives_it_back(store):
    with pytest.raises(KeyError), Lease(store):
        raise KeyError
    with Lease(store):
        pass


def test_the_same_process_cannot_hold_it_twice(store):
    with Lease(store), pytest.raises(RunError, match="held by this very process"):
        Lease(store).__enter__()


def test_another_process_that_holds_it_is_named(shared_store, holder):
    with pytest.raises(RunError, match=f"held by process {holder.pid} on "):
        Lease(shared_store).__enter__()
    holder.communicate("")
    assert holder.returncode == 0
    with Lease(shared_store):
        pass


def test_a_killed_holder_of_this_host_blocks_nobody(shared_store, holder):
    holder.kill()
    holder.wait()
    with Lease(shared_store, beat=3600, stale_after=7200) as lease:
        lease.check()


def test_a_killed_holder_that_nobody_waited_for_blocks_nobody(shared_store, holder):
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # dead, but still in the process table
    with Lease(shared_store, beat=3600, stale_after=7200) as lease:
        lease.check()


def test_of_many_threads_one_gets_it(store):
    got, refused, gate, done = [], [], threading.Barrier(8), threading.Event()

    def take():
        gate.wait()
        try:
            with Lease(store):
                got.append(1)
                done.wait(30)
        except RunError as error:
            refused.append(error)
        if len(refused) == 7:
            done.set()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 7)


def test_of_many_threads_one_takes_over(store):
    write(store, elsewhere(), beat=0.0)
    got, refused, gate, done = [], [], threading.Barrier(6), threading.Event()

    def take():
        gate.wait()
        try:
            with quick(store, stale_after=20.0):
                got.append(1)
                done.wait(30)
        except RunError as error:
            refused.append(error)
        if len(refused) == 5:
            done.set()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 5)


def elsewhere():
    return replace(Owner.here(), host="elsewhere/1/2")


def write(store, owner, *, beat, number=1, released=False):
    text = json.dumps({"owner": asdict(owner), "beat": beat, "released": released})
    store.replace(f"{number:06d}.json", text.encode())


def test_a_holder_elsewhere_is_believed_while_it_beats(store):
    write(store, elsewhere(), beat=time.time())
    with pytest.raises(RunError, match=r"held by process \d+ on elsewhere"):
        Lease(store).__enter__()


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_a_silent_holder_elsewhere_is_taken_over_whatever_its_clock(store, ahead):
    write(store, elsewhere(), beat=time.time() + ahead)
    with quick(store) as lease:
        lease.check()
    assert store.list() == ["000001.json", "000002.json"]


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_a_living_holder_elsewhere_is_believed_whatever_its_clock(store, ahead):
    stop = threading.Event()

    def beat():
        while not stop.is_set():
            write(store, elsewhere(), beat=time.time() + ahead)
            stop.wait(0.01)

    write(store, elsewhere(), beat=time.time() + ahead)
    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(RunError, match="elsewhere"):
            quick(store, beat=0.2, stale_after=0.4).__enter__()
    finally:
        stop.set()
        thread.join()


def test_a_later_process_of_the_same_number_is_not_the_holder(store):
    write(store, replace(Owner.here(), born=1, token="old"), beat=time.time())
    with Lease(store):
        pass


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b'{"owner": 3, "beat": "now"}', b'{"owner": {"host": "a", "pid": -1, "born": 0, "token": ""}}'],
)
def test_a_damaged_lease_is_taken_over(store, content):
    store.create("000001.json", content)
    with quick(store) as lease:
        lease.check()


def test_foreign_objects_are_no_lease(store):
    store.create("notes.json", b"{}")
    with Lease(store):
        assert store.list() == ["000001.json", "notes.json"]


def wait_for(condition):
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_holder_shows_that_it_lives(store):
    with quick(store, beat=0.02):
        first = json.loads(store.read("000001.json"))["beat"]
        wait_for(lambda: json.loads(store.read("000001.json"))["beat"] > first)
    assert json.loads(store.read("000001.json"))["released"] is True


def lost(lease):
    try:
        lease.check()
    except RunError:
        return True
    return False


def test_a_holder_learns_that_it_was_given_up(store):
    with quick(store, beat=0.02) as lease:
        lease.check()
        write(store, elsewhere(), beat=time.time(), number=2)
        wait_for(lambda: lost(lease))
        with pytest.raises(RunError, match=r"taken over; .*elsewhere"):
            lease.check()
    assert json.loads(store.read("000002.json"))["released"] is False


def test_a_holder_that_cannot_write_any_more_learns_it(tmp_path):
    folder = tmp_path / "leases"
    lease = quick(Store(str(folder)), beat=0.02, stale_after=0.1)
    with lease:
        (folder / "000001.json").unlink()
        folder.rmdir()
        folder.write_bytes(b"a file where the folder was")
        wait_for(lambda: lost(lease))
        with pytest.raises(RunError, match="could not be renewed"):
            lease.check()


@pytest.mark.parametrize(("beat", "stale_after"), [(0, 1), (2, 1), (-1, 1), (1, 1)])
def test_a_beat_must_be_shorter_than_the_patience(store, beat, stale_after):
    with pytest.raises(ValueError, match="expected 0 < beat < stale_after"):
        Lease(store, beat=beat, stale_after=stale_after)
