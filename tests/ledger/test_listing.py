"""What `list_runs` says of runs in every state, and that none of them stands in the way of the others."""

import json
import time
from dataclasses import asdict, replace

import numpy as np
import pytest

from mapmerge.errors import ConfigError, RunError
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.lease import Owner
from mapmerge.ledger.listing import find_store, list_runs
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from tests.ledger.calls import tick

STUDY = {"config": {"name": "digits", "method": "map"}}
RESULT = {"evaluations": 1, "front": [{}, {}], "hypervolume": {"value": 0.5}}


def begin(store, run_id, study=STUDY):
    run = RunFolder(store, run_id)
    run.create(study)
    return run


def complete(store, run_id, result=RESULT):
    run, ledger = begin(store, run_id), EvaluationLedger(store)
    with run.lease():
        run.append_event("started", {})
        keys = [
            ledger.put({"at": at}, np.ones(3, dtype=np.float32), seconds=0, device="cpu", run=run_id).key
            for at in (1, 2)
        ]
        run.put_json("result", result)
        run.seal(ledger, keys)
    return run


def one(store):
    (found,) = list_runs(store)
    return found


def lease(run, *, beat, released=False, **changes):
    owner = asdict(replace(Owner.here(), **changes))
    run.files.replace("leases/000001.json", json.dumps({"owner": owner, "beat": beat, "released": released}).encode())


def test_a_complete_run(store):
    run = complete(store, "first")
    found = one(store)
    assert (found.run_id, found.uri, found.state, found.why) == ("first", run.uri, "complete", None)
    assert (found.study, found.method) == ("digits", "map")
    assert (found.evaluations, found.paid, found.front_points, found.hypervolume) == (2, 1, 2, 0.5)
    assert found.created <= found.sealed
    assert found.created == run.events()[0]["time"]
    assert json.loads(json.dumps(found.to_json())) == found.to_json()


def test_a_result_of_another_form_leaves_its_numbers_open(store):
    complete(store, "first", {"points": 3})
    found = one(store)
    assert (found.state, found.evaluations) == ("complete", 2)
    assert (found.paid, found.front_points, found.hypervolume) == (None, None, None)


def test_runs_are_listed_newest_last(store):
    for run_id in ("b", "c", "a"):
        begin(store, run_id)
        time.sleep(tick(store))
    assert [run.run_id for run in list_runs(store)] == ["b", "c", "a"]


def test_a_run_that_is_driven_says_by_whom(store):
    run = begin(store, "first")
    with run.lease():
        found = one(store)
        assert (found.state, found.why) == ("running", f"driven by {Owner.here()}")
    found = one(store)
    assert found.state == "stopped"
    assert found.why.startswith(f"{Owner.here()} gave it up before the end; go on by `mapmerge resume ")


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ({"born": 1, "beat": time.time()}, "ended before the run did"),
        ({"host": "elsewhere/1", "beat": 1e9}, "no sign of life of process"),
        ({"host": "elsewhere/1", "beat": 1e9}, "on elsewhere since 2001-09-09T01:46:40"),
    ],
)
def test_a_run_that_stopped_says_why(store, sign, words):
    lease(begin(store, "first"), **sign)
    found = one(store)
    assert found.state == "stopped"
    assert words in found.why


def test_the_last_lease_counts(store):
    run = begin(store, "first")
    lease(run, beat=time.time(), host="elsewhere/1")
    run.files.create("leases/000002.json", json.dumps({"released": True}).encode())
    assert one(store).state == "stopped"


def test_a_run_that_nobody_drove(store):
    begin(store, "first")
    assert "it was never begun" in one(store).why


def test_a_lease_that_cannot_be_read(store):
    begin(store, "first").files.create("leases/000001.json", b"{")
    assert (one(store).state, one(store).why.split(";")[0]) == ("stopped", "its lease cannot be read")


SPOILT = {
    "no study": (lambda files: files.delete("study.json"), "study.json is missing"),
    "study": (lambda files: files.replace("study.json", b"{"), "study.json: expected a JSON object"),
    "another study": (lambda files: files.replace("study.json", b"{}"), "file study.json was changed"),
    "manifest": (lambda files: files.replace("manifest.json", b"\xff"), "manifest.json: expected a JSON object"),
    "no manifest": (lambda files: files.replace("manifest.json", b"{}"), "manifest.json: expected the checksum"),
    "no result": (lambda files: files.delete("result.json"), "file result.json is missing"),
    "same size": (
        lambda files: files.replace("result.json", b"7" * files.written()["result.json"].size),
        "result.json",
    ),
    "event": (lambda files: files.replace("events/000001-started.json", b"{"), "was changed"),
    "more": (lambda files: files.create("more.json", b"{}"), "file more.json was added"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_damaged_run_says_what_is_wrong_and_stops_nobody(store, case):
    spoil, words = SPOILT[case]
    complete(store, "good")
    spoil(complete(store, "spoilt").files)
    found = {run.run_id: run for run in list_runs(store)}
    assert found["good"].state == "complete"
    assert (found["spoilt"].state, found["spoilt"].hypervolume) == ("damaged", None)
    assert words in found["spoilt"].why


def test_the_manifest_of_another_run_is_none(store):
    run = complete(store, "first")
    for key in run.files.list():
        store.create(f"runs/second/{key}", run.files.read(key))
    states = {found.run_id: found.state for found in list_runs(store)}
    assert states == {"first": "complete", "second": "damaged"}


def test_what_is_no_run_is_not_listed(store):
    store.create("runs/notes.txt", b"")
    store.create("evaluations/notes.txt", b"")
    assert list_runs(store) == []


def test_many_runs_take_few_reads(store, monkeypatch):
    for number in range(70):
        begin(store, f"r{number}")
    reads = []
    read_many = Store.read_many
    monkeypatch.setattr(
        Store, "read_many", lambda self, *args, **more: reads.append(1) or read_many(self, *args, **more)
    )
    monkeypatch.setattr(Store, "read", None)
    monkeypatch.setattr(Store, "exists", None)
    assert len(list_runs(store)) == 70
    assert len(reads) == 2


def test_a_store_is_found_where_runs_or_evaluations_are(store):
    with pytest.raises(RunError, match="there is no store here"):
        find_store(store.uri)
    run = complete(store, "first")
    assert find_store(store.uri).uri == store.uri
    with pytest.raises(RunError, match=rf"this is a single run, not a store of runs; give {store.uri}$"):
        find_store(run.uri)
    with pytest.raises(RunError, match="there is no store here"):
        find_store(f"{store.uri}/runs")
    with pytest.raises(ConfigError, match="expected s3://"):
        find_store("ftp://host/a")
