"""A plan says what a run would measure, and measures no candidate."""

import json

import numpy as np
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


def nested(study, *overrides):
    planned = plan(str(study), ["method=nested", "nested.method=map", *overrides])
    assert json.loads(json.dumps(planned, allow_nan=False)) == planned
    return planned, {entry["name"]: entry for entry in planned["rounds"]}


@pytest.fixture
def four(probe_family):
    """Four experts of 64 items, with an objective each but for the last one, which is nobody's."""
    names, corners = ["e0", "e1", "e2", "all"], np.eye(4).tolist()
    return probe_family(k=4, objectives={name: {"peak": at} for name, at in zip(names, corners, strict=True)})


def test_a_nested_plan_has_a_round_for_each_node(four):
    planned, rounds = nested(four, "nested.tree=[[e0, e1], [e2, e3]]")
    assert list(rounds) == [
        "unmerged models",
        "e0--e1",
        "e2--e3",
        "e0--e1--e2--e3",
        "settled merges (at most)",
        "scalars (baseline)",
        "front and baselines (at most)",
    ]
    unmerged = rounds["unmerged models"]
    assert (unmerged["candidates"], unmerged["evaluations"]) == (5, 2 + 2 + 2 + 5)
    assert unmerged["items"] == {"e0": 128, "e1": 128, "e2": 128, "all": 320}
    pair, other, root = (rounds[name] for name in ("e0--e1", "e2--e3", "e0--e1--e2--e3"))
    assert (pair["candidates"], pair["evaluations"], pair["items"]) == (12, 24, {"e0": 768, "e1": 768})
    assert other["items"] == {"e2": 768}
    assert (root["evaluations"], root["items_forwarded"], root["runs"]) == (48, 4 * 768, 1)
    assert rounds["scalars (baseline)"]["items_forwarded"] == 2 * 4 * 64
    assert rounds["front and baselines (at most)"]["candidates"] == 1 + 7
    assert planned["total"] == planned["one_preference"]
    assert not planned["tree_grows"]
    assert planned["tree"].splitlines()[:2] == [
        "e0--e1--e2--e3: 12 candidates × 4 objectives = 48 evaluations",
        "├── e0--e1: 12 candidates × 2 objectives = 24 evaluations",
    ]


def test_preferences_share_the_lowest_nodes(four):
    alone, once = nested(four, "nested.tree=[[e0, e1], [e2, e3]]")
    planned, rounds = nested(four, "nested.tree=[[e0, e1], [e2, e3]]", "nested.preferences=3")
    assert planned["preferences"] == 3
    assert planned["one_preference"] == alone["total"]
    assert [rounds[name]["runs"] for name in ("e0--e1", "e2--e3", "e0--e1--e2--e3")] == [1, 1, 3]
    assert rounds["e0--e1"] == once["e0--e1"]
    assert rounds["e0--e1--e2--e3"]["evaluations"] == 3 * 48
    assert rounds["front and baselines (at most)"]["candidates"] == 3 + 7
    assert planned["tree"].startswith(
        "e0--e1--e2--e3: 12 candidates × 4 objectives = 48 evaluations, at most 3 times\n"
    )


def test_a_refinement_may_fill_the_front(four):
    _, rounds = nested(four, "nested.fan_in=2", "nested.refine=5", "nested.evaluations=8")
    assert rounds["refinement (at most)"]["evaluations"] == 5 * 4
    assert rounds["e0--e1--e2--e3"]["candidates"] == 8
    assert rounds["front and baselines (at most)"]["candidates"] == 6 + 7


def test_nodes_may_see_samples(four):
    planned, rounds = nested(four, "nested.fan_in=2", "nested.method=adaptive")
    pair = rounds["e0--e1"]
    assert pair["candidates"] > 6
    assert 5 * 64 * 0.9 < pair["items"]["e0"] <= 5 * 64  # of p = 6 candidates the base is known
    assert f"{pair['candidates']} candidates × 2 objectives × 28% of the items = 10 evaluations" in planned["tree"]


def test_a_tree_that_grows_is_estimated_by_a_balanced_one(four):
    with pytest.raises(BadInputError, match="expert 'e3' has no objective"):
        nested(four, "nested.tree=paper")
    planned, rounds = nested(four, "nested.tree=paper", "objectives.3.expert=e3")
    assert planned["tree_grows"]
    assert planned["tree"].startswith("The tree grows while its nodes are measured. A balanced one would cost")
    assert [entry["evaluations"] for name, entry in rounds.items() if "--" in name] == [24, 24, 48]
    assert rounds["unmerged models"]["evaluations"] == 8
