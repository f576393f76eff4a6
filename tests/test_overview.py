"""What the page of all runs is made from: every run of a store, and of the newest what it takes to compare any two."""

import json
from pathlib import Path

import numpy as np
import pytest

from mapmerge.finished import FinishedRun
from mapmerge.fronts.bootstrap import bootstrap_interval
from mapmerge.fronts.comparisons import compare
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from mapmerge.overview import DRAWS, overview
from mapmerge.randomness import generator
from tests.report.recorded_run import another, recorded_run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return recorded_run(tmp_path)


def fronts(store: Store, **options: int) -> dict[str, dict]:
    return {each["run_id"]: each["front"] for each in overview(store, **options)["runs"]}


def test_a_store_without_runs(tmp_path: Path) -> None:
    assert overview(Store(str(tmp_path)))["runs"] == []


def test_one_run(run: RunFolder) -> None:
    found = overview(run.store)
    (one,) = found["runs"]
    assert (one["run_id"], one["state"], one["paid"]) == ("first", "complete", 12)
    front = one["front"]
    assert front["points"] == [[0.6] * 4, [0.7] * 4]
    assert front["ids"] == ["p01", "p02"]
    assert [objective["name"] for objective in front["objectives"]] == ["a", "b", "c", "d"]
    assert len(front["redrawn"]) == DRAWS
    assert len(set(front["redrawn"])) > 50
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert overview(run.store) == found


def test_the_difference_of_two_runs_is_paired(run: RunFolder) -> None:
    result = run.get_json("result")
    same, fewer = another(run, "same"), another(run, "fewer", front=result["front"][:1])
    found = fronts(run.store)
    assert found["same"]["redrawn"] == found["first"]["redrawn"]
    assert found["fewer"]["unit"] == found["first"]["unit"]
    differences = np.subtract(found["first"]["redrawn"], found["fewer"]["redrawn"])
    assert (differences >= -1e-6).all()  # a front that lacks a point is worse in every redraw
    # The library's own comparison of the two sets, with other redraws, comes to about the same interval.
    whole, part = (FinishedRun.open(each.uri).front_outcomes() for each in (same, fewer))
    unit = FinishedRun.open(run.uri).normalisation
    report = compare(whole, {"part": part}, unit, rng=generator(1), draws=2000)
    theirs = report.comparisons[0].difference
    ours = bootstrap_interval(theirs.value, differences, level=0.9)
    assert ours.low == pytest.approx(theirs.low, abs=0.2 * (theirs.high - theirs.low))
    assert ours.high == pytest.approx(theirs.high, abs=0.2 * (theirs.high - theirs.low))


def test_other_items_or_units_are_told_apart(run: RunFolder) -> None:
    result = run.get_json("result")
    provenance = json.loads(json.dumps(result["provenance"]))
    provenance["item_sets"]["a"]["held_out"]["identity"] = {"sha256": "1"}
    another(run, "items", provenance=provenance)
    another(run, "unit", hypervolume={**result["hypervolume"], "reference_point": dict.fromkeys("abcd", 0.05)})
    found = fronts(run.store)
    first, items, unit = found["first"], found["items"], found["unit"]
    assert items["items"] != first["items"] == unit["items"]
    assert len({each["unit"] for each in (first, items, unit)}) == 3


def test_only_the_newest_are_looked_into(run: RunFolder) -> None:
    for name in ("second", "third"):
        another(run, name)
    assert [each["run_id"] for each in overview(run.store)["runs"]] == ["third", "second", "first"]
    found = fronts(run.store, newest=2)
    assert [name for name in found if found[name] is not None] == ["third", "second"]
    assert set(fronts(run.store, newest=0).values()) == {None}


def test_runs_that_are_not_complete_or_not_sound_stop_nobody(run: RunFolder) -> None:
    RunFolder(run.store, "half").create(run.study())
    another(run, "strange", front=[])
    (Path(run.store.uri.removeprefix("file://")) / "runs" / "first" / "result.json").write_text("{}")
    found = {each["run_id"]: each for each in overview(run.store)["runs"]}
    assert [found[name]["state"] for name in ("first", "half", "strange")] == ["damaged", "stopped", "complete"]
    assert "front: " in found["strange"]["front"]["why"]
    assert found["half"]["front"] is None


def test_a_front_whose_ledger_is_gone_is_shown_without_redraws(run: RunFolder) -> None:
    for key in run.store.list("evaluations"):
        run.store.delete(key)
    assert EvaluationLedger(run.store).warnings == []
    front = fronts(run.store)["first"]
    assert front["redrawn"] is None
    assert front["points"] == [[0.6] * 4, [0.7] * 4]
