"""`mapmerge runs` and `mapmerge prune` on the store of a real run."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def digits_run(digits_run, mapmerge, digits_family, tmp_path_factory):
    """The same run in a store of its own: other tests run more studies in the shared one."""
    output = tmp_path_factory.mktemp("store")
    said = mapmerge("run", digits_family / "study.yaml", "--output", output, "--run-id", "first", "--json")
    assert said.code == 0, said.err
    return type(digits_run)(output, said)


@pytest.fixture
def output(digits_run, tmp_path):
    """A store with a complete run, an old record of nobody and one that is young: a copy that may be spoilt."""
    output = Path(shutil.copytree(digits_run.output, tmp_path / "out"))
    for name, digit in (("old", "a"), ("young", "b")):
        record = output / "evaluations" / (digit * 2) / f"{digit * 64}.json"
        record.parent.mkdir(exist_ok=True)
        record.write_text(json.dumps({"inputs": {"base": name, "experts": []}}))
    age(output, 30)
    os.utime(record)
    return output


def age(folder, days):
    """Let all files of a folder be as old."""
    then = time.time() - days * 86_400
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def files(output):
    """Return every file, but for the leases of those who pruned, and what it holds."""
    kept = (path for path in output.rglob("*") if path.is_file() and path.parent.name != "pruning")
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in kept}


def half(output):
    """Take from the run what it wrote after its last measurement, as if it had been interrupted there."""
    for name in ("manifest.json", "result.json", "measured.json", "report.html", "surfaces.json"):
        (output / "runs" / "first" / name).unlink()


def test_the_runs_of_a_store(mapmerge, output, digits_run):
    said = mapmerge("runs", output, "--json")
    assert said.code == 0, said.err
    assert (said.json["schema"], said.json["store"]) == ("mapmerge/runs/1", f"file://{output}")
    (run,) = said.json["runs"]
    result = digits_run.result
    assert (run["run_id"], run["study"], run["method"]) == ("first", result["study"], result["method"])
    assert (run["state"], run["why"]) == ("complete", None)
    assert run["created"] == result["provenance"]["started"]
    assert (run["paid"], run["front_points"]) == (result["evaluations"], len(result["front"]))
    assert run["hypervolume"] == result["hypervolume"]["value"]
    assert run["evaluations"] == len(list(output.glob("evaluations/??/*.json"))) - 2
    words = mapmerge("runs", output).out
    for word in ("first", result["study"], "complete", f"{run['hypervolume']:.3g}", "1 run\n"):
        assert word in words


def test_a_page_of_all_runs(mapmerge, output, tmp_path):
    shutil.copytree(output / "runs" / "first", output / "runs" / "second")
    said = mapmerge("index", output)
    assert (said.code, said.out) == (0, f"{output}/index.html\n"), said.err
    page = (output / "index.html").read_text()
    assert '<a href="runs/first/report.html">first</a>' in page
    assert page.count('type="checkbox" class="choose"') == 1
    assert "is not a manifest of run &#x27;second&#x27;" in page
    (tmp_path / "pages").mkdir()
    there = mapmerge("index", output, "--out", tmp_path / "pages" / "all.html", "--newest", "0")
    assert there.code == 0
    page = (tmp_path / "pages" / "all.html").read_text()
    assert '<a href="../out/runs/first/report.html">first</a>' in page
    assert 'type="checkbox"' not in page
    before = files(output)
    for wrong in (["--out", output], ["--out", tmp_path / "none" / "all.html"], ["--newest", "-1"]):
        assert mapmerge("index", output, *wrong).code == 2
    assert mapmerge("index", tmp_path / "nothing").code == 2
    assert files(output) == before


def test_runs_that_are_not_complete_say_why(mapmerge, output):
    half(output)
    shutil.copytree(output / "runs" / "first", output / "runs" / "second")
    (output / "runs" / "second" / "study.json").write_bytes(b"")
    said = mapmerge("runs", output)
    assert said.code == 0
    assert f"go on by `mapmerge resume file://{output}/runs/first`" in said.out
    assert "second: study.json: expected a JSON object, came 0 bytes" in said.out
    assert "2 runs\n" in said.out


def test_a_dry_run_says_what_is_then_done(mapmerge, output):
    before = files(output)
    dry = mapmerge("prune", output, "--older-than", "7d", "--dry-run", "--json").json
    words = mapmerge("prune", output, "--older-than", "7d", "--dry-run")
    assert (words.code, files(output)) == (0, before)
    assert not (output / "pruning").exists()
    done = mapmerge("prune", output, "--older-than", "7d", "--json").json
    assert done == {**dry, "dry_run": False}
    gone = f"evaluations/aa/{'a' * 64}.json"
    assert done["objects"] == [{"key": gone, "kind": "evaluation", "bytes": len(before[gone])}]
    assert done["kept"]["young"] == 1
    assert (done["schema"], done["older_than_s"]) == ("mapmerge/prune/1", 604_800)
    assert files(output) == {key: data for key, data in before.items() if key != gone}
    assert f"to remove: 1 object of {len(before[gone])} bytes\nnothing was removed\n" in words.out
    assert gone in words.out
    assert mapmerge("verify", output / "runs" / "first").code == 0
    assert mapmerge("prune", output, "--older-than", "7d").out.endswith("nothing to remove\n")


def test_a_resumed_run_finds_all_that_it_paid_for(mapmerge, output, digits_run):
    half(output)
    said = mapmerge("prune", output, "--older-than", "0s")
    assert "removed 2 objects" in said.out
    assert "that unfinished runs may ask for" in said.out
    records = {key: data for key, data in files(output).items() if key.startswith("evaluations/")}
    resumed = mapmerge("resume", output / "runs" / "first", "--json").json
    for key in ("front", "hypervolume", "verdict", "evaluations", "evaluations_reused"):
        assert resumed[key] == digits_run.result[key]
    assert {key: data for key, data in files(output).items() if key.startswith("evaluations/")} == records
    assert mapmerge("verify", output / "runs" / "first").code == 0


def test_a_run_that_was_removed_by_hand_leaves_nothing(mapmerge, output):
    shutil.rmtree(output / "runs" / "first")
    assert mapmerge("runs", output).out.endswith("0 runs\n")
    assert mapmerge("prune", output, "--older-than", "1w").code == 0
    assert list(files(output)) == [f"evaluations/bb/{'b' * 64}.json"]


def test_a_damaged_manifest_keeps_everything(mapmerge, output):
    (output / "runs" / "first" / "manifest.json").write_bytes(b"{}")
    before = files(output)
    said = mapmerge("prune", output, "--older-than", "0s")
    assert said.code == 0
    assert "run first: " in said.err
    assert "every evaluation stays until it is mended or its folder removed" in said.err
    assert files(output) == before


@pytest.mark.parametrize("command", [["runs"], ["prune", "--older-than", "7d"]])
def test_a_run_is_no_store(mapmerge, digits_run, command):
    said = mapmerge(*command, digits_run.folder)
    assert (said.code, said.out) == (2, "")
    assert f"this is a single run, not a store of runs; give file://{digits_run.output}" in said.err
