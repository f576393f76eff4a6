"""The campaign of faults: drawn from its seed, able to fail, and in its short form run over real parts."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.faults import summed
from benchmarks.faults_episode import Injected
from benchmarks.faults_parts import may_mount
from benchmarks.faults_plan import KINDS, MEANT, draw

ROOT = Path(__file__).parents[2]
SHORT = ("driver", "actor", "postgres", "s3 stop", "s3 503", "s3 slow", "s3 cut", "disk full")
"""Without the kinds that wait for a server to start, and with a seed that kills one driver."""

EPISODE = {
    "sessions": 2,
    "missed": 0,
    "records": 68,
    "lost_records": 0,
    "corrupt_front": False,
    "repeated": 2,
    "in_flight": 2,
    "wrong": [],
}
RACES = {"leases": {"races": 50, "exactly_one": 50}}


def test_the_same_seed_draws_the_same_faults():
    assert draw(3, 40) == draw(3, 40) != draw(4, 40)
    turn = sum(weight for _, weight in KINDS.values())
    for at in (0, turn):
        kinds = [fault.kind for fault in draw(3, 2 * turn)[at : at + turn]]
        assert {kind: kinds.count(kind) for kind in KINDS} == {kind: weight for kind, (_, weight) in KINDS.items()}
    assert MEANT.keys() == KINDS.keys()
    assert {fault.kind for fault in draw(0, 30, ("actor", "node"))} == {"actor", "node"}


@pytest.mark.parametrize(
    ("wrong", "limit"),
    [
        ({}, []),
        ({"lost_records": 1}, ["lost records"]),
        ({"corrupt_front": True}, ["corrupt fronts"]),
        ({"repeated": 3}, ["repeated evaluations"]),
        ({"wrong": ["session 1 hangs"]}, ["drivers that hang, fail by themselves or show a traceback"]),
    ],
)
def test_one_bad_run_among_good_ones_breaks_a_limit(wrong, limit):
    good = {**EPISODE, "in_flight": 20}
    assert summed([good, {**EPISODE, **wrong}, good], [], RACES)["broken"] == limit


def test_a_race_that_two_or_none_win_breaks_a_limit():
    assert summed([EPISODE], [], {"leases": {"races": 50, "exactly_one": 49}})["broken"] == ["races"]


def test_only_what_dies_may_take_evaluations_with_it():
    hit = {fault.kind: Injected(fault, 1, "measuring", 5) for fault in draw(0, 60)}
    assert {kind for kind, one in hit.items() if one.in_flight()} == {
        "actor",
        "node",
        "raylet",
        "driver alone",
        "disk full",
    }
    assert replace(hit["driver"], exit_code=-9).in_flight() == 8  # four candidates, two objectives
    assert hit["driver alone"].in_flight() == 2


@pytest.mark.slow
def test_a_short_campaign_loses_and_changes_nothing(tmp_path):
    out = tmp_path / "faults.json"
    asked = ["--faults", "12", "--kinds", ",".join(SHORT), "--seed", "26", "--races", "6", "--commands", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", *asked, "--out", str(out)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    summary = result["summary"]
    assert summary["faults"] == 12
    assert len(summary["by_kind"]) == (len(SHORT) if may_mount() else len(SHORT) - 1)
    assert summary["lost_records"] == summary["corrupt_front"] == 0
    assert summary["repeated"] <= summary["in_flight"]
    assert result["races"]["leases"]["loser_named_winner"] == 6
