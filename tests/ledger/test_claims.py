"""Claims: of many drivers one measures, and nobody waits for the dead."""

import contextlib
import json
import threading

import pytest

from mapmerge.errors import StoreAwayError
from mapmerge.ledger.claims import Claims
from mapmerge.ledger.patience import HASTY
from mapmerge.ledger.runs import RunFolder

KEYS = [f"{number:064x}" for number in range(1, 4)]


@pytest.fixture
def held():
    """Leases that are held until the test ends."""
    with contextlib.ExitStack() as stack:
        yield stack


def claims_of(store, run_id, lease=None):
    lease = lease or RunFolder(store, run_id).lease()
    return Claims(store, run_id, lease.token)


def test_of_many_drivers_exactly_one_gets_each_claim(shared_store, held):
    folders = [RunFolder(shared_store, f"run-{number}") for number in range(6)]
    leases = [held.enter_context(folder.lease()) for folder in folders]
    won = [set() for _ in leases]
    start = threading.Barrier(len(leases))

    def drive(number):
        mine = claims_of(shared_store, f"run-{number}", leases[number])
        start.wait()
        won[number] = mine.take(KEYS[number % 3 :] + KEYS[: number % 3])

    threads = [threading.Thread(target=drive, args=(number,)) for number in range(len(leases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key for keys in won for key in keys) == KEYS


def test_a_claim_holds_until_it_is_given_back(store):
    with RunFolder(store, "first").lease() as lease:
        ours, theirs = claims_of(store, "first", lease), claims_of(store, "second")
        assert ours.take(KEYS[:2]) == set(KEYS[:2])
        assert theirs.take(KEYS) == {KEYS[2]}
        assert ours.take(KEYS[:1]) == set()  # another thread of the same driver waits as well
        ours.give_back(KEYS[:1])
        assert theirs.take(KEYS) == {KEYS[0]}
    assert store.list("claims") == [f"claims/00/{key}.json" for key in KEYS]


def test_a_claim_ends_with_the_lease_of_its_driver(store):
    folder = RunFolder(store, "first")
    with folder.lease() as lease:
        assert claims_of(store, "first", lease).take(KEYS) == set(KEYS)
    with RunFolder(store, "second").lease() as other:
        assert claims_of(store, "second", other).take(KEYS[:1]) == {KEYS[0]}  # it was given back
        with folder.lease() as again:  # the run was resumed: what it claimed before is as free as anybody's
            resumed = claims_of(store, "first", again)
            assert resumed.take(KEYS) == set(KEYS[1:])
            assert claims_of(store, "third").take(KEYS) == set()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"half of {",
        b"[]",
        b"{}",
        b'{"run":"../../outside","token":"t"}',
        b'{"run":"never-begun","token":"t"}',
        b'{"run":5,"token":null}',
        b"{" * 10_000,
    ],
)
def test_a_claim_that_says_nothing_holds_nobody_up(store, data):
    store.create(f"claims/00/{KEYS[0]}.json", data)
    ours = claims_of(store, "first")
    assert ours.take(KEYS[:1]) == {KEYS[0]}
    assert json.loads(store.read(f"claims/00/{KEYS[0]}.json"))["run"] == "first"


@pytest.mark.slow
def test_a_store_that_is_away_keeps_nobody_from_giving_back(spoiled):
    store, proxy = spoiled([])
    ours = claims_of(store, "first")
    ours.take(KEYS)
    proxy.spoil(["503"] * 100)
    ours.give_back(KEYS)
    with pytest.raises(StoreAwayError):
        claims_of(store.with_patience(HASTY), "second").take(KEYS)
