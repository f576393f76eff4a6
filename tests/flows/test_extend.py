"""A family that grows or shrinks, and preferences that change: what was measured is not measured again."""

import numpy as np
import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def objectives(k):
    return {f"e{at}": {"peak": (0.1 + 0.7 * np.eye(k)[at]).tolist()} for at in range(k)}


@pytest.fixture
def studies(probe_family):
    """A study of three experts, and one of the first two of them."""
    whole = probe_family(objectives=objectives(3), k=3)
    fewer = yaml.safe_load(whole.read_text())
    for section in ("experts", "objectives"):
        fewer[section] = fewer[section][:2]
    small = whole.with_name("small.yaml")
    small.write_text(yaml.safe_dump(fewer))
    return small, whole


@pytest.fixture
def run(mapmerge):
    def run(study, output, run_id, *words):
        said = mapmerge("run", study, "--output", output, "--run-id", run_id, "--json", *words)
        assert said.code == 0, said.err
        return said.json

    return run


@pytest.mark.parametrize("method", ["map", "adaptive", "nested"])
def test_a_family_that_grew_uses_all_that_was_measured(studies, run, tmp_path, method):
    small, whole = studies
    words = ["--set", f"method={method}", "--set", "nested.method=map"]
    first = run(small, tmp_path / "out", "small", *words)
    assert first["extends"] is None
    plain = run(whole, tmp_path / "alone", "whole", *words)
    grown = run(whole, tmp_path / "out", "grown", *words, "--extend", first["run_uri"])
    twice = 4 if method == "nested" else 0  # the unmerged models are candidates of the node too
    searched = first["history"][-1]["evaluations"] - twice + 2 * 2  # and two scalars on two objectives
    assert grown["extends"] == {"run": first["run_uri"], "evaluations": searched}
    assert grown["evaluations_reused"] >= searched
    assert grown["evaluations"] <= plain["evaluations"]
    more = {
        name: grown["surrogates"][name]["points"] - plain["surrogates"][name]["points"] for name in plain["surrogates"]
    }
    assert more["e0"] > 0
    assert more["e1"] > 0

    # Elsewhere, with a ledger of its own, it is the same front.
    again = run(whole, tmp_path / "elsewhere", "grown", *words, "--extend", first["run_uri"])
    assert again["front"] == grown["front"]
    assert again["evaluations_reused"] >= searched


def test_a_family_that_shrank_uses_merges_without_the_expert_that_is_gone(studies, run, tmp_path):
    small, whole = studies
    first = run(whole, tmp_path / "out", "whole")
    shrunk = run(small, tmp_path / "out", "shrunk", "--extend", first["run_uri"])
    # The base and two of the three experts, on two objectives.
    assert shrunk["extends"]["evaluations"] == 6


def test_a_run_that_extends_one_can_be_extended(studies, run, tmp_path):
    small, whole = studies
    first = run(small, tmp_path / "out", "small")
    second = run(whole, tmp_path / "out", "whole", "--extend", first["run_uri"])
    third = run(whole, tmp_path / "out", "more", "--extend", second["run_uri"], "--set", "seed=1")
    assert third["extends"]["evaluations"] > first["history"][-1]["evaluations"] + second["history"][-1]["evaluations"]


def test_a_run_of_another_base_is_refused_and_nothing_is_begun(studies, run, mapmerge, digits_run, tmp_path):
    said = mapmerge("run", studies[1], "--output", tmp_path / "out", "--run-id", "one", "--extend", digits_run.uri)
    assert said.code == 2
    assert "nothing of the earlier run holds for this study: it has another base" in said.err
    assert not (tmp_path / "out" / "runs").exists()


def test_a_run_that_is_not_there_cannot_be_extended(studies, mapmerge, tmp_path):
    said = mapmerge("run", studies[1], "--output", tmp_path / "out", "--extend", tmp_path / "out/runs/none")
    assert said.code == 2
    assert "none" in said.err


def test_a_new_preference_measures_only_where_the_choice_changes(studies, run, tmp_path):
    _, whole = studies
    words = ["--set", "method=nested", "--set", "nested.tree=[[e0, e1], e2]", "--set", "nested.method=map", "--set"]
    first = run(whole, tmp_path / "out", "one", *words, "nested.preferences=[{e0: 1, e1: 1, e2: 1}]")
    # Of the same shares below, so the node of e0 and e1 chooses the same, and the root is asked the same.
    same = run(whole, tmp_path / "out", "two", *words, "nested.preferences=[{e0: 2, e1: 2, e2: 5}]")
    # Other shares below: the lower node's evaluations are there, what it chooses is new, and so is the root.
    other = run(whole, tmp_path / "out", "three", *words, "nested.preferences=[{e0: 3, e1: 1, e2: 1}]")
    searched = first["history"][-1]["evaluations"]
    assert searched == 12 * 2 + 12 * 3 + 3 + 3 + 3  # two nodes, the base, three experts, the merge found
    new = [result["evaluations"] for result in (same, other)]
    front = 3  # on held-out items: the merge found, on three objectives; baselines are known
    root = (12 - 2) * 3  # the base and e2 alone are among its candidates in any case
    assert new == [3 + front, root + 3 + front]


def test_a_grid_of_preferences_is_a_front(studies, run, mapmerge, tmp_path):
    _, whole = studies
    result = run(whole, tmp_path / "out", "grid", "--set", "method=nested", "--prefer-grid", "6")
    assert len(result["front"]) + len(result["dominated"]) == 6
    said = mapmerge("run", whole, "--output", tmp_path / "out", "--prefer-grid", "6")
    assert said.code == 2
    assert "--prefer-grid is of method nested, and the study has method map" in said.err
