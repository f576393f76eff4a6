"""The benchmark of the ledger: its records are those of a run, and its batches hold what was put into them."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from benchmarks import ledger_batches as batches
from benchmarks.ledger_study import ITEMS, OBJECTIVES, SAMPLED, measurements, open_ledger, open_made_up, question

ROOT = Path(__file__).parents[2]
CANDIDATES = 30


@pytest.fixture
def run():
    ledger = open_ledger(f"memory://{uuid.uuid4().hex}")
    run = open_made_up(ledger)
    for finished in measurements(run, 0, CANDIDATES):
        run.keep(finished)
    return run


def records(run):
    return {key.split("/")[-1].removesuffix(".json"): key for key in run.ledger.store.list("evaluations")}


def test_what_was_kept_is_what_a_resumed_run_asks_for(run):
    again = open_made_up(open_ledger(run.ledger.store.uri))
    known = {}
    for first in range(0, CANDIDATES, 7):
        requests = again.requests(question(again, first, min(first + 7, CANDIDATES)))
        known |= again.recall(requests)
        assert all(request.key in known for request in requests)
    assert known.keys() == records(run).keys()
    assert len(known) == CANDIDATES * OBJECTIVES
    assert {(found.items, found.margins is None) for found in known.values()} == {(SAMPLED, False), (ITEMS, True)}
    assert len({found.outcomes.tobytes() for found in known.values()}) == len(known)


def test_a_batch_gives_back_every_record(run):
    store, keys = run.ledger.store, records(run)
    for number in range(2):
        some = list(keys)[number * 60 : (number + 1) * 60]
        batches.write(store, number, {key: store.read(keys[key]) for key in some})
    assert [found.key for found in batches.read_all(store, range(2))] == list(keys)
    for key in (min(keys), max(keys)):
        assert batches.find(store, range(2), key).checksum == run.ledger.get(key).checksum
    assert batches.find(store, range(2), "0" * 64) is None


@pytest.mark.slow
def test_every_step_is_measured(tmp_path):
    out = tmp_path / "ledger.json"
    command = [sys.executable, "-m", "benchmarks.ledger", "--sizes", "100,200", "--stores", "local", "--repeats", "1"]
    subprocess.run([*command, "--out", out], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    rows = json.loads(out.read_text())["results"]
    steps = ["writing", "resuming", "resuming", "resuming", "verifying", "batching"]
    assert [(row["records"], row["step"]) for row in rows] == [(size, step) for size in (100, 200) for step in steps]
    assert [row["question"] for row in rows if row["step"] == "resuming"] == [48, 1000, 100, 48, 1000, 200]
    for row in rows:
        if row["step"] == "writing":
            assert row["share_of_1_s"] == pytest.approx((row["claim_ms"]["mean"] + row["keep_ms"]["mean"]) / 1e3)
            assert min(row["claim_ms"]["mean"], row["keep_ms"]["mean"]) > 0
