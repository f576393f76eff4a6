"""Many objects of S3 at once: the short way gives what the long one does, and leaves it what is unusual."""

import threading

import pytest

from infra.services.fault_proxy import FAULTS, seeded
from mapmerge.ledger import remote_objects
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.s3_reading import FEWEST, read_plain
from mapmerge.ledger.store import Store

pytestmark = pytest.mark.slow

BODIES = {f"a/{number:03d}=x.json": bytes([number]) * (number * 100) for number in range(FEWEST + 8)}
GONE = [f"a/gone-{number}.json" for number in range(8)]


def filled(store):
    for key, data in BODIES.items():
        store.create(key, data)
    return store


def plainly(store, keys, *, limit=10**6):
    root = store.uri.removeprefix("s3://")
    paths = [f"{root}/{key}" for key in keys]
    found = remote_objects.ask(store.uri, Patience(), lambda files: read_plain(files, paths, limit, 10.0))
    return {path.removeprefix(f"{root}/"): data for path, data in found.items()}


@pytest.mark.parametrize("folder", ["", "/a folder+with ünusual~names & more"])
def test_every_object_is_answered(s3, folder):
    store = filled(Store(s3 + folder))
    assert plainly(store, [*BODIES, *GONE]) == {**BODIES, **dict.fromkeys(GONE)}
    assert store.read_many([*GONE, *BODIES]) == BODIES


def test_the_short_way_is_the_one_that_is_taken(s3, monkeypatch):
    store = filled(Store(s3))
    monkeypatch.setattr(remote_objects.RemoteObjects, "_fetch", None)
    assert store.read_many([*BODIES, *GONE]) == BODIES


def test_what_is_too_large_comes_cut(s3):
    store = filled(Store(s3))
    assert plainly(store, list(BODIES)[-1:], limit=10) == {}
    assert store.read_many(BODIES, limit=10) == {key: data[:11] for key, data in BODIES.items()}


def test_another_error_than_a_missing_key_is_not_a_missing_key(s3):
    nowhere = Store("s3://no-such-bucket/a")
    assert plainly(nowhere, BODIES) == {}
    with pytest.raises(OSError, match="NoSuchBucket"):
        nowhere.read_many(BODIES)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_leaves_the_rest_to_the_patient_way(spoiled, fault):
    store, proxy = spoiled(())
    filled(store)
    proxy.spoil(["pass", fault])
    found = plainly(store, BODIES)
    assert found.items() <= BODIES.items()
    if fault.isdigit():
        assert len(found) < len(BODIES)
    proxy.spoil(["pass", fault])
    assert store.read_many([*BODIES, *GONE]) == BODIES


@pytest.mark.parametrize("seed", [5, 6])
def test_many_survive_faults(spoiled, seed):
    store, proxy = spoiled(())
    filled(store)
    proxy.spoil(seeded(seed))
    assert store.read_many([*BODIES, *GONE]) == BODIES


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("fault", "patience"),
    [("hang", Patience(silence=0.3, pause=0.01)), ("trickle", Patience(call=0.5, pause=0.01))],
)
def test_nobody_waits_for_ever(spoiled, fault, patience):
    store, proxy = spoiled(())
    filled(store)
    proxy.spoil([fault])
    assert store.with_patience(patience).read_many(BODIES) == BODIES


def test_threads_read_at_once(s3):
    store, found = filled(Store(s3)), []
    threads = [threading.Thread(target=lambda: found.append(store.read_many(BODIES))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [BODIES] * 4
