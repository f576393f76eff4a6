"""Flows that read or tidy what runs have left say what the commands say."""

import json
import os
import re
import shutil

import pytest

from flows.compare import compare_runs
from flows.health import check_health
from flows.prune import prune_store
from flows.verify import verify_runs
from mapmerge.errors import BadInputError, FailedRunError, IntegrityError, RunError
from mapmerge.files.arrivals import arrived

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture
def store(digits_run, tmp_path):
    """A copy of the output that a test may spoil, without the runs that other tests left there."""
    copy = shutil.copytree(digits_run.output, tmp_path / "store")
    for run in (copy / "runs").iterdir():
        if run.name != "first":
            shutil.rmtree(run)
    return copy


def test_runs_are_compared_as_by_the_command(mapmerge, digits_run):
    said = mapmerge("compare", digits_run.uri, digits_run.uri, "--json").json
    assert compare_runs([digits_run.uri, digits_run.uri]) == said
    with pytest.raises(BadInputError, match="at least two runs"):
        compare_runs([digits_run.uri])


def test_a_store_is_pruned_only_when_it_is_asked_for(mapmerge, store):
    with pytest.raises(BadInputError, match="whole number"):
        prune_store(str(store), "soon")
    assert prune_store(str(store), "1h")["objects"] == []
    shutil.rmtree(store / "runs" / "first")
    here = {path for path in store.rglob("*.json") if path.parent.parent.name == "evaluations"}
    would = prune_store(str(store), "0s")
    assert len(would["objects"]) == len(here)
    assert all(path.exists() for path in here)
    said = mapmerge("prune", store, "--older-than", "0s", "--dry-run", "--json").json
    assert would.items() <= said.items()
    assert prune_store(str(store), "0s", dry_run=False) == would
    assert not any(path.exists() for path in here)


def test_a_run_or_a_whole_store_is_verified(store):
    shutil.copytree(store / "runs" / "first", store / "runs" / "half")
    (store / "runs" / "half" / "manifest.json").unlink()
    uris = verify_runs(str(store))
    assert uris == [f"file://{store}/runs/first"]
    assert verify_runs(uris[0]) == uris
    with pytest.raises(RunError, match="half of a run"):
        verify_runs(f"{store}/runs/half")
    # Other tests have left records here that this run has no part in.
    needed = json.loads((store / "runs" / "first" / "manifest.json").read_text())["evaluations"]
    (record,) = (store / "evaluations").rglob(f"{min(needed)}.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "seconds": 0.5}))
    with pytest.raises(IntegrityError, match=record.stem):
        verify_runs(str(store))


def test_health_is_told_of_store_runs_and_cluster(store, tmp_path):
    shutil.copytree(store / "runs" / "first", store / "runs" / "half")
    for name in ("manifest.json", "result.json"):
        (store / "runs" / "half" / name).unlink()
    kept = sorted(store.rglob("*.json"))
    well, runs = check_health(str(store))
    assert (well["what"], well["state"], runs["state"]) == ("store", "well", "well")
    assert runs["found"] == "1 complete, 0 running, 1 stopped (to be resumed: half)"
    assert sorted(store.rglob("*.json")) == kept
    assert "0 complete" in check_health(str(tmp_path / "new"))[1]["found"]

    (store / "runs" / "first" / "result.json").write_text("{}")
    with pytest.raises(
        FailedRunError, match=r"(?s)runs: file:.*runs/first.*\ncluster: no Ray cluster at '127.0.0.1:9'"
    ):
        check_health(str(store), "127.0.0.1:9")


@pytest.mark.usefixtures("local_ray")
def test_health_of_a_cluster_is_what_runs_ask_of_it(tmp_path):
    (*_, cluster) = check_health(str(tmp_path / "out"), "auto", min_cpus=2)
    assert re.fullmatch(r"auto has 2 CPU, 0 GPU, of which \S+ CPU, 0 GPU are free", cluster["found"])
    with pytest.raises(FailedRunError, match="0 GPU are free; 1 CPU, 4 GPU are needed"):
        check_health(str(tmp_path / "out"), "auto", min_gpus=4)


def test_an_expert_has_arrived_when_all_of_it_is_left_alone(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/model.safetensors", "b.safetensors", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    now = (tmp_path / "a" / "model.safetensors").stat().st_mtime
    assert arrived(str(tmp_path), 60.0, now=now + 59) == {}
    there = {"a": f"{tmp_path}/a", "b": f"{tmp_path}/b.safetensors"}
    assert arrived(str(tmp_path), 60.0, now=now + 3600) == there
    (tmp_path / "a" / "config.json").write_bytes(b"")
    os.utime(tmp_path / "a" / "config.json", (now + 3590, now + 3590))
    assert arrived(str(tmp_path), 60.0, now=now + 3600) == {"b": there["b"]}
