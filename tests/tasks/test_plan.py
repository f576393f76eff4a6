"""A plan says what a run would measure, and measures no candidate."""

import json

import pytest

from mapmerge.errors import BadInputError
from mapmerge.zoo.vision import encoder
from tasks.plan import plan

PEAK = {"peak": [0.5, 0.5]}


def test_counts_add_up(digits_family):
    planned = plan(str(digits_family / "study.yaml"), ["design.points=8"])
    assert json.loads(json.dumps(planned, allow_nan=False)) == planned
    rounds = {entry["name"]: entry for entry in planned["rounds"]}
    assert rounds["design"] == {
        "name": "design",
        "candidates": 8,
        "evaluations": 16,
        "items": {"upright": 1600, "reversed": 1600},
        "items_forwarded": 3200,
    }
    assert rounds["gate (only if a surrogate fails it)"]["candidates"] == 4
    assert rounds["scalars (baseline)"]["evaluations"] == 6
    assert rounds["front and baselines (at most)"]["candidates"] == 8 + 5 + 8
    for key in ("evaluations", "items_forwarded"):
        assert planned["total"][key] == sum(entry[key] for entry in planned["rounds"])
    parameters = sum(parameter.numel() for parameter in encoder(8).parameters())
    assert planned["bytes"]["task_matrix"] == planned["bytes"]["checkpoints"] == 4 * 3 * parameters
    assert planned["seconds"]["estimated"] <= planned["seconds"]["one_actor"]
    assert list(planned["seconds"]["item"]) == ["upright", "reversed"]


def test_no_candidate_is_measured(probe_family):
    study = probe_family(objectives={"z": {**PEAK, "marks": "marks"}})
    (study.parent / "marks").mkdir()
    plan(str(study), [])
    assert not list((study.parent / "marks").iterdir())


def test_a_plan_finds_what_a_run_would_find(probe_family):
    study = probe_family(objectives={"z": PEAK})
    with pytest.raises(BadInputError, match="p = "):
        plan(str(study), ["budget.evaluations=5"])
    (study.parent / "e0.safetensors").unlink()
    with pytest.raises(BadInputError, match=r"e0\.safetensors"):
        plan(str(study), [])


def test_a_home_folder_may_be_written_short(probe_family, monkeypatch):
    study = probe_family(objectives={"z": PEAK})
    monkeypatch.setenv("HOME", str(study.parent))
    assert plan("~/study.yaml", [])["study"] == "probe"


@pytest.mark.parametrize("method", ["adaptive", "bayesian", "direct"])
def test_other_methods_plan_their_first_round_and_what_the_budget_leaves(digits_family, method):
    planned = plan(str(digits_family / "study.yaml"), [f"method={method}"])
    rounds = {entry["name"]: entry for entry in planned["rounds"]}
    searched = [rounds[name]["items_forwarded"] for name in ("design", "further rounds (at most)")]
    assert searched[0] < sum(searched) <= 12 * 2 * 200
    assert sum(searched) > 11 * 2 * 200
