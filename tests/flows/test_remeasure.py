"""A front that is measured on other held-out items is the same front, and costs only those measurements."""

import json

import pytest
from safetensors.torch import load_file, save_file

from flows.remeasure import remeasure_front
from mapmerge.errors import ConfigError, RunError
from mapmerge.finished import FinishedRun

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

OBJECTIVES = {"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}}


@pytest.fixture(params=["map", "adaptive", "nested"])
def run(request, mapmerge, probe_family, tmp_path):
    """A complete run, and the folder of its study, with items that it has not seen."""
    study = probe_family(objectives=OBJECTIVES)
    (study.parent / "new.json").write_text(json.dumps({"name": "new", "items": 96}))
    words = ["--set", f"method={request.param}", "--set", "nested.method=map"]
    said = mapmerge("run", study, "--output", tmp_path / "out", "--run-id", "first", "--json", *words)
    assert said.code == 0, said.err
    return said.json


def test_the_same_front_on_other_items(run, mapmerge):
    uri = remeasure_front(run["run_uri"], {"a": "new.json"}, "again")
    again = FinishedRun.open(uri).result
    points = {tuple(point["coefficients"].values()): point for point in (*again["front"], *again["dominated"])}
    before = {tuple(point["coefficients"].values()): point for point in (*run["front"], *run["dominated"])}
    assert points.keys() == before.keys()
    for place, point in points.items():
        assert point["predicted"] == before[place]["predicted"]
        assert point["measured"]["z"] == before[place]["measured"]["z"]
        assert point["low"]["z"] == before[place]["low"]["z"]
        assert point["low"]["a"] != before[place]["low"]["a"]  # scores may be the same, but more items tell more
    candidates = again["evaluations"]  # all that is delivered and all baselines, on one objective
    assert len(points) < candidates <= len(points) + 20
    assert again["items_forwarded"] == 96 * candidates
    assert f"the front is that of {run['run_uri']}, measured on other held-out items of a" in again["warnings"]
    assert again["provenance"]["item_sets"]["a"]["held_out"]["items"] == 96
    assert mapmerge("verify", uri).code == 0
    assert mapmerge("compare", uri, run["run_uri"]).code == 2  # other held-out items

    # Once more is for nothing.
    third = FinishedRun.open(remeasure_front(uri, {"a": "new.json"}, "third")).result
    assert third["evaluations"] == 0
    assert third["front"] == again["front"]


@pytest.mark.parametrize("run", ["map"], indirect=True)
def test_what_cannot_be_measured_again_is_refused(run, tmp_path):
    uri, family = run["run_uri"], tmp_path / "probe"
    with pytest.raises(ConfigError, match="no objective 'b'"):
        remeasure_front(uri, {"b": "new.json"}, "one")
    with pytest.raises(ConfigError, match="at least one objective"):
        remeasure_front(uri, {}, "two")
    with pytest.raises(ConfigError, match=r"only values under `compute`"):
        remeasure_front(uri, {"a": "new.json"}, "three", ["seed=3"])
    save_file({"weight": 1.01 * load_file(family / "e0.safetensors")["weight"]}, family / "e0.safetensors")
    with pytest.raises(RunError, match=r"its inputs have changed since it began: experts\.e0"):
        remeasure_front(uri, {"a": "new.json"}, "four")
    assert [path.name for path in (tmp_path / "out" / "runs").iterdir()] == ["first"]
