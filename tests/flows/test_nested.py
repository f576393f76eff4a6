"""Nested merging from end to end: nodes are sub-flows, run side by side, and are found again after an end."""

import json
import signal
import time

import numpy as np
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter

from flows.nested import find_front
from mapmerge.finished import FinishedRun

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


PAIRS = ["nested.fan_in=2", "nested.method=map"]
"""Two children a node, and for each node 12 candidates."""


def objectives(k, **options):
    """One objective an expert, of the same name; what is good for it is mostly its own expert."""
    return {f"e{at}": {"peak": (0.1 + 0.7 * np.eye(k)[at]).tolist(), **options} for at in range(k)}


def found(result):
    """Return what a run found, without when, where and for how much."""
    apart = ("run_uri", "run_id", "seconds", "provenance", "evaluations", "evaluations_reused", "items_forwarded")
    return {key: value for key, value in result.items() if key not in (*apart, "warnings")}


def run(study, output, *overrides, name="one"):
    return FinishedRun.open(find_front(str(study), str(output), name, list(overrides))).result


def sub_flows(name):
    """Return the sub-flows of the flow run of a name, by their own names."""
    with get_client(sync_client=True) as client:
        (parent,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(name={"any_": [name]}))
        inside = FlowRunFilter(parent_flow_run_id={"any_": [parent.id]})
        return {each.name: each for each in client.read_flow_runs(flow_run_filter=inside)}


def test_the_even_preference_finds_one_merge_and_every_node_is_a_sub_flow(probe_family, tmp_path):
    study = probe_family(objectives=objectives(4), k=4)
    result = run(study, tmp_path / "out", *PAIRS, name="tree-of-four")
    assert result["method"] == "nested"
    (point,) = [*result["front"], *result["dominated"]]
    # Where all peaks count alike, the best merge is their mean.
    np.testing.assert_allclose(list(point["coefficients"].values()), 0.1 + 0.7 / 4, atol=0.06)
    nodes = sub_flows("tree-of-four")
    assert {name: node.parameters["children"] for name, node in nodes.items()} == {
        "e0--e1": ["e0", "e1"],
        "e2--e3": ["e2", "e3"],
        "e0--e1--e2--e3": ["e0--e1", "e2--e3"],
    }
    assert {node.state.name for node in nodes.values()} == {"Completed"}
    # 12 candidates a node, on 2, 2 and 4 objectives; the base on 4, four experts on one each; the merge on 4.
    searched = [each for each in result["history"] if each["round"] != "front"]
    assert sum(entry["evaluations"] for entry in searched[-1:]) == 12 * (2 + 2 + 4) + 4 + 4 + 4


def test_more_preferences_share_the_lower_nodes(probe_family, tmp_path):
    study = probe_family(objectives=objectives(4), k=4)
    result = run(study, tmp_path / "out", *PAIRS, "nested.preferences=5")
    points = [*result["front"], *result["dominated"]]
    assert len(points) == 5
    assert result["history"][-1]["evaluations"] < 5 * 96


@pytest.mark.parametrize(
    "overrides",
    [[], ["nested.tree=similarity", "nested.fan_in=2"], ["nested.tree=paper"], ["nested.tree=[[e2, e0], e1]"]],
)
def test_three_experts_along_every_kind_of_tree(probe_family, tmp_path, overrides):
    study = probe_family(objectives=objectives(3), k=3)
    result = run(study, tmp_path / "out", "nested.method=map", *overrides)
    (point,) = [*result["front"], *result["dominated"]]
    np.testing.assert_allclose(list(point["coefficients"].values()), 0.1 + 0.7 / 3, atol=0.08)


def test_refinement_searches_on_from_there(probe_family, tmp_path):
    result = run(probe_family(objectives=objectives(3), k=3), tmp_path / "out", "nested.refine=6")
    assert len(result["front"]) > 1
    assert any(entry["round"].startswith("round-") for entry in result["history"])
    (row,) = [entry for entry in result["comparisons"] if entry["baseline"] == "before_refinement"]
    assert row["hypervolume"] < result["hypervolume"]["value"]
    assert row["words"] == "better"


def test_siblings_on_actors_find_what_one_process_finds(probe_family, local_ray, tmp_path):
    study = probe_family(objectives=objectives(4), k=4)
    serial = run(study, tmp_path / "serial", "nested.fan_in=2")
    actors = ["nested.fan_in=2", "compute.executor=ray", "compute.num_cpus=0.5", "compute.actors=2"]
    assert found(run(study, tmp_path / "ray", *actors)) == found(serial)


def test_a_run_killed_between_two_running_siblings_goes_on_to_the_same_merge(mapmerge, start, probe_family, tmp_path):
    study = probe_family(objectives=objectives(4, seconds=0.05), k=4)
    output = tmp_path / "out"
    words = ["--set", "method=nested", *(word for override in PAIRS for word in ("--set", override))]
    process = start("run", study, "--output", output, "--run-id", "one", *words)
    deadline = time.monotonic() + 120
    while len(list((output / "evaluations").rglob("*.json"))) < 20:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = len(list((output / "evaluations").rglob("*.json")))
    again = mapmerge("resume", output / "runs" / "one", "--json")
    assert again.code == 0, again.err
    whole = run(study, tmp_path / "whole", *PAIRS)
    assert found(again.json) == found(whole)
    assert again.json["evaluations_reused"] == 0  # of other runs; its own are not paid for twice
    assert kept >= 20


def test_a_node_that_fails_does_so_alone(probe_family, tmp_path, mapmerge):
    asked = objectives(4)
    asked["e1"] |= {"trouble": "error", "above": 0.01}  # for merges with the first expert, not for the second alone
    study = probe_family(objectives=asked, k=4)
    words = ["--set", "method=nested", *(word for override in PAIRS for word in ("--set", override))]
    said = mapmerge("run", study, "--output", tmp_path / "out", "--run-id", "one", *words)
    assert said.code == 1
    assert "1 of 2 nodes failed, the others are done: node 'e0--e1', round 'design'" in said.err
    events = [json.loads(path.read_text()) for path in sorted((tmp_path / "out/runs/one/events").iterdir())]
    rounds = [event["payload"]["name"] for event in events if event["kind"] == "round"]
    assert any(name.startswith("e2--e3") for name in rounds)
