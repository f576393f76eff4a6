"""Whatever ends a run, it goes on from its ledger to the front that it would have found anyway."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from mapmerge.finished import FinishedRun

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

OBJECTIVES = {name: {"peak": peak, "marks": "marks"} for name, peak in (("z", [0.8, 0.1]), ("a", [0.1, 0.8]))}


@pytest.fixture
def family(probe_family):
    """A study whose evaluators leave a mark a measurement, and take a moment for each."""
    study = probe_family(objectives={name: {**options, "seconds": 0.03} for name, options in OBJECTIVES.items()})
    (study.parent / "marks").mkdir()
    return study


@pytest.fixture(scope="module")
def undisturbed(mapmerge, write_probe_family, prefect_server, tmp_path_factory):
    """The result of the same study when nothing gets in its way."""
    folder = tmp_path_factory.mktemp("undisturbed")
    study = write_probe_family(folder / "probe", objectives=OBJECTIVES)
    (study.parent / "marks").mkdir()
    return mapmerge("run", study, "--output", folder / "out", "--run-id", "one", "--json").json


def records(output):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (output / "evaluations").rglob("*.json")}


def marks(study):
    """Count measurements by item set and candidate; both objectives measure each candidate."""
    return Counter(mark.name.rpartition("_")[0] for mark in (study.parent / "marks").iterdir())


def places(records, experts):
    """Count records by item set and candidate, named as the marks name them."""
    counted = Counter()
    for record, _ in records.values():
        inputs = json.loads(record)["inputs"]
        share = {fingerprint: np.float32(float.fromhex(value)) for fingerprint, value in inputs["experts"]}
        merged = [np.float32(1) + share.get(experts[expert], np.float32(0)) for expert in ("e0", "e1")]
        coefficients = np.round(np.array(merged, dtype=np.float64) - 1.0, 5)  # as the probe sees them
        name = inputs["evaluator"]["identity"]["items"]["name"]
        counted["_".join([name, *(f"{value:.4f}" for value in coefficients)])] += 1
    return counted


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("moment", "stop", "arguments"),
    [
        ("in the design", signal.SIGKILL, []),
        ("in the re-measurement", signal.SIGKILL, []),
        ("in the design", signal.SIGKILL, ["--ray", "local"]),
        ("in the design", signal.SIGINT, []),
    ],
)
def test_a_run_that_was_killed_goes_on_to_the_same_front(
    mapmerge, start, family, undisturbed, tmp_path, moment, stop, arguments
):
    output = tmp_path / "out"
    run = output / "runs" / "one"
    process = start("run", family, "--output", output, "--run-id", "one", *arguments)
    if moment == "in the design":
        wait_for(lambda: len(records(output)) >= 5, process)
    else:
        wait_for((run / "surfaces.json").exists, process)
        known = len(records(output))
        wait_for(lambda: len(records(output)) >= known + 3, process)
    process.send_signal(stop)
    out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if stop == signal.SIGINT else -stop)
    assert out == ""
    if stop == signal.SIGINT:
        assert err.endswith("mapmerge: interrupted; a run goes on with `mapmerge resume RUN`\n")
    before = records(output)
    assert len(before) < undisturbed["evaluations"]
    assert "this is half of a run" in mapmerge("front", run).err

    said = mapmerge("resume", run, "--json")
    assert said.code == 0, said.err
    result = said.json
    for key in ("front", "dominated", "hypervolume", "baselines", "comparisons", "verdict", "surrogates", "history"):
        assert result[key] == undisturbed[key]
    assert result["evaluations"] == undisturbed["evaluations"]  # all of them paid for by this run, once
    after = records(output)
    assert {path: after[path] for path in before} == before
    assert mapmerge("verify", run).code == 0
    # Both objectives leave a mark of a candidate: where both had their record before, neither was measured again.
    measured = marks(family)
    known = places(before, undisturbed["provenance"]["experts"])
    whole = [where for where, count in known.items() if count == 2]
    assert len(whole) >= 2
    assert [measured[where] for where in whole] == [2] * len(whole)


def test_a_complete_run_has_nothing_left_to_do(mapmerge, digits_run):
    before = {path: path.stat().st_mtime_ns for path in digits_run.folder.rglob("*")}
    said = mapmerge("resume", digits_run.uri, "--json")
    assert said.code == 0
    assert "is complete, there is nothing left to do" in said.err
    assert said.json == digits_run.result
    assert {path: path.stat().st_mtime_ns for path in digits_run.folder.rglob("*")} == before


@pytest.fixture
def half(mapmerge, family, tmp_path):
    """A run that failed because one evaluator was down, and is up again."""
    study = family.read_text()
    down = study.replace("    seconds: 0.03\n", "    seconds: 0.0\n    trouble: error\n    above: 0.2\n")
    family.write_text(down)
    said = mapmerge("run", family, "--output", tmp_path / "out", "--run-id", "one")
    assert said.code == 1, said.err
    return tmp_path / "out" / "runs" / "one"


def test_a_run_is_not_resumed_on_other_inputs(mapmerge, half, family):
    path = family.parent / "e1.safetensors"
    weights = load_file(path)
    original = path.read_bytes()
    save_file({"weight": weights["weight"] * 1.01}, path)
    said = mapmerge("resume", half)
    assert said.code == 2
    assert "cannot be resumed, its inputs have changed since it began: experts.e1" in said.err
    path.write_bytes(original)
    assert "inputs have changed" not in mapmerge("resume", half).err


def test_only_where_a_run_is_computed_may_change(mapmerge, half):
    said = mapmerge("resume", half, "--set", "compute.attempts=1", "--set", "seed=1")
    assert said.code == 2
    assert "--set seed=1: a resumed run can only change values under `compute`" in said.err
    said = mapmerge("resume", half, "--set", "compute.max_failed_fraction=1")
    assert said.code == 1
    assert "measured on every objective" in said.err  # as far as it gets with so many failures allowed


def test_a_run_id_is_taken_once_and_for_all(mapmerge, half, family, tmp_path, digits_run, digits_family):
    for study, output in ((family, tmp_path / "out"), (digits_family / "study.yaml", digits_run.output)):
        name = "one" if study == family else "first"
        said = mapmerge("run", study, "--output", output, "--run-id", name)
        assert said.code == 2
        assert "there already is a run of this id" in said.err
        assert "mapmerge resume" in said.err


HOLD = """
import sys
from mapmerge.ledger.runs import find_run
with find_run(sys.argv[1]).lease():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_another_process_drives_is_refused_until_that_one_ends(mapmerge, half):
    command = [sys.executable, "-c", HOLD, str(half)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        said = mapmerge("resume", half)
        assert said.code == 2
        assert f"the run is held by process {holder.pid}" in said.err
        holder.kill()
    assert "held by" not in mapmerge("resume", half).err


def test_a_resumed_run_may_be_computed_elsewhere(mapmerge, start, family, undisturbed, local_ray, tmp_path):
    """A run begun by one executor and ended by Ray on a cluster that is there already is the same run."""
    import ray

    output = tmp_path / "out"
    process = start("run", family, "--output", output, "--run-id", "one")
    wait_for(lambda: len(records(output)) >= 5, process)
    process.kill()
    process.communicate()
    address = ray.get_runtime_context().gcs_address
    process = start("resume", output / "runs" / "one", "--ray", address, "--json")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert result["front"] == undisturbed["front"]
    assert result["provenance"]["executor"] == "ray"
    assert FinishedRun.open(result["run_uri"]).result == result
