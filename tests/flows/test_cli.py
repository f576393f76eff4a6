"""What the commands print, and what they leave behind."""

import csv
import io
import json
import os
import shutil
import subprocess

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mapmerge.checkpoints.open import open_checkpoint
from mapmerge.merging.engine import ResidentModel
from mapmerge.merging.task_matrix import TaskMatrix
from mapmerge.zoo.vision import encoder

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def second(mapmerge, digits_run, digits_family):
    """Another run of the same objectives, with another seed and a smaller front, in the same output."""
    arguments = ["--run-id", "second", "--set", "seed=1", "--set", "budget.front=4", "--json"]
    said = mapmerge("run", digits_family / "study.yaml", "--output", digits_run.output, *arguments)
    assert said.code == 0
    return said.json


@pytest.fixture
def copy(digits_run, tmp_path):
    """A copy of the output that a test may spoil; returns the run's folder."""
    shutil.copytree(digits_run.output, tmp_path / "copy")
    return tmp_path / "copy" / "runs" / "first"


# Running


def test_a_run_as_a_user_starts_it(start, digits_family, tmp_path):
    """No server, no Ray, no settings: everything is started for the run, and nothing but the result is on stdout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "RAY_"))}
    environment = {**kept, "PREFECT_HOME": str(tmp_path / "prefect"), "MAPMERGE_OUTPUT": str(tmp_path / "out")}
    arguments = ["--set", "compute.executor=ray", "--set", "compute.actors=1", "--run-id", "one", "--json"]
    process = start("run", digits_family / "study.yaml", *arguments, env=environment, cwd=tmp_path)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert result["run_uri"] == f"file://{tmp_path}/out/runs/one"
    assert result["provenance"]["executor"] == "ray"
    lines = err.splitlines()
    assert lines[:2] == ["run one", "prepare"]
    assert lines[-1] == "publish"
    assert "Traceback" not in err

    # A run id alone is looked for under the default output.
    process = start("verify", "one", env=environment, cwd=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "every file and every evaluation is what the manifest says" in out


def test_bad_input_that_only_the_flow_finds_is_told_in_one_line(start, own_family, tmp_path):
    (own_family / "upright" / "model.safetensors").write_bytes(b"")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_LOGGING")}
    process = start("run", own_family / "study.yaml", "--output", tmp_path / "out", "--run-id", "one", env=environment)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == ""
    run, stage, said = err.splitlines()
    assert (run, stage) == ("run one", "prepare")
    assert said.startswith(f"mapmerge: {own_family}/upright/model.safetensors: the file is empty")


def test_a_cluster_that_is_not_there_is_a_failed_run_in_words(start, digits_family, tmp_path):
    arguments = ["--output", tmp_path / "out", "--run-id", "one", "--ray", "127.0.0.1:1"]
    process = start("run", digits_family / "study.yaml", *arguments)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert "mapmerge: no Ray cluster at '127.0.0.1:1': " in err


def test_the_result_is_printed_for_people_too(mapmerge, digits_run, second):
    for command in ("front", "resume"):
        said = mapmerge(command, digits_run.uri)
        assert said.code == 0
        for words in ("p01", "c upright", "expert reversed", "uniform merge", "best scalar", "hypervolume"):
            assert words in said.out
        assert digits_run.result["verdict"][:60] in said.out.replace("\n", " ")


def test_a_plan_is_printed_for_people_and_as_json(mapmerge, digits_family):
    planned = mapmerge("plan", digits_family / "study.yaml", "--json").json
    assert planned["total"]["evaluations"] == (12 + 3 + 8 + 5 + 8) * 2
    said = mapmerge("plan", digits_family / "study.yaml")
    assert "at most" in said.out
    assert f"{planned['total']['items_forwarded']:,}" in said.out


# Reading


def test_front_as_json_is_the_result(mapmerge, digits_run):
    assert mapmerge("front", digits_run.uri, "--json").json == digits_run.result


@pytest.mark.parametrize("form", ["uri", "folder", "slash"])
def test_a_run_is_named_by_its_uri_or_its_folder(mapmerge, digits_run, form):
    name = {"uri": digits_run.uri, "folder": str(digits_run.folder), "slash": f"{digits_run.folder}/"}[form]
    assert mapmerge("front", name, "--json").json == digits_run.result


def test_front_as_csv_has_every_delivered_point(mapmerge, digits_run):
    said = mapmerge("front", digits_run.uri, "--csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    result = digits_run.result
    assert [row["id"] for row in rows] == [point["id"] for point in (*result["front"], *result["dominated"])]
    for row, point in zip(rows, result["front"], strict=False):
        assert row["on_front"] == "1"
        assert float(row["c_reversed"]) == point["coefficients"]["reversed"]
        assert float(row["reversed_low"]) == point["low"]["reversed"]


@pytest.mark.parametrize(
    "preference", [["--prefer", "upright=2,reversed=1"], ["--at-least", "upright=0.8"], ["--knee"]]
)
def test_pick_answers_a_preference(mapmerge, digits_run, preference):
    picked = mapmerge("pick", digits_run.uri, *preference, "--json").json
    assert list(picked["coefficients"]) == ["upright", "reversed"]
    assert picked["predicted"]["upright"] >= (0.8 if "--at-least" in preference else 0)
    said = mapmerge("pick", digits_run.uri, *preference)
    assert said.code == 0
    assert f"upright={picked['coefficients']['upright']:.4f}" in said.out


@pytest.mark.parametrize(
    ("preference", "words"),
    [
        (["--prefer", "upside=1"], ["no objective 'upside'", "'reversed'", "'upright'"]),
        (["--prefer", "uprigt=1"], ["did you mean 'upright'?"]),
        (
            ["--at-least", "upright=0.9999,reversed=0.0001"],
            ["the nearest that one can: upright 0."],
        ),
        ([], ["give one preference"]),
        (["--prefer", "upright"], ["expected NAME=NUMBER"]),
        (["--prefer", ""], ["expected NAME=NUMBER"]),
    ],
)
def test_a_preference_that_cannot_be_answered(mapmerge, digits_run, preference, words):
    said = mapmerge("pick", digits_run.uri, *preference)
    assert said.code == 2
    assert said.out == ""
    for word in words:
        assert word in said.err


def test_half_of_a_run_is_not_read(mapmerge, copy):
    (copy / "manifest.json").unlink()
    for command in (["front"], ["verify"], ["pick", "--knee"], ["front", "--csv"]):
        said = mapmerge(*command, copy)
        assert said.code == 2
        assert "half of a run (manifest.json is missing); finish it by `mapmerge resume" in said.err
    # All it lacks is its end, which costs no measurement.
    records = sorted((copy.parent.parent / "evaluations").rglob("*.json"))
    said = mapmerge("resume", copy, "--json")
    assert said.code == 0
    assert sorted((copy.parent.parent / "evaluations").rglob("*.json")) == records


# Exporting


def merged_in_memory(family, coefficients):
    base, *experts = (open_checkpoint(family / name) for name in ("base", "upright", "reversed"))
    matrix = TaskMatrix.build(family / "cache", base, experts)
    return ResidentModel(encoder(8), matrix, base, "cpu").load(np.array(coefficients)).state_dict()


@pytest.mark.parametrize("chosen", [["--point", "p01"], ["--prefer", "upright=1,reversed=1"], ["--knee"]])
def test_an_export_loads_back_and_is_the_model_that_was_measured(
    mapmerge, digits_run, digits_family, own_family, tmp_path, chosen
):
    out = tmp_path / "merged"
    said = mapmerge("export", digits_run.uri, *chosen, "--out", out)
    assert said.code == 0
    assert said.out == f"{out}\n"
    record = json.loads((out / "merge.json").read_text())
    weights = load_file(out / "model.safetensors")
    model = encoder(8)
    model.load_state_dict(weights)
    expected = merged_in_memory(own_family, [record["coefficients"][name] for name in ("upright", "reversed")])
    for name, tensor in weights.items():
        assert torch.allclose(tensor, expected[name], rtol=1e-5, atol=1e-6)

    card = (out / "README.md").read_text()
    provenance = digits_run.result["provenance"]
    for word in (provenance["base"], *provenance["experts"].values(), "upright", "cross_entropy (minimize)", "first"):
        assert word in card
    if "--point" in chosen:
        point = digits_run.result["front"][0]
        assert record["coefficients"] == point["coefficients"]
        assert f"{point['measured']['upright']:.4f}" in card
        items = load_file(digits_family / "upright-held_out.safetensors")
        head = load_file(digits_family / "upright-head.safetensors")["weight"]
        with torch.inference_mode():
            right = (model(items["inputs"].float() / 255) @ head.T).argmax(1) == items["labels"]
        assert float(right.float().mean()) == pytest.approx(point["measured"]["upright"], abs=0.006)  # one item
    else:
        assert "this very mix has not been measured" in card


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (["--point", "p99"], "no point 'p99'"),
        (["--point", "p01", "--knee"], "either --point or a preference, not both"),
        ([], "give one preference"),
    ],
)
def test_an_export_of_nothing(mapmerge, digits_run, tmp_path, chosen, words):
    said = mapmerge("export", digits_run.uri, *chosen, "--out", tmp_path / "merged")
    assert said.code == 2
    assert words in said.err
    assert not (tmp_path / "merged").exists()


def test_an_export_overwrites_nothing(mapmerge, digits_run, tmp_path):
    (tmp_path / "mine").write_text("mine")
    said = mapmerge("export", digits_run.uri, "--knee", "--out", tmp_path)
    assert said.code == 2
    assert str(tmp_path) in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_export_from_checkpoints_that_changed_is_refused(mapmerge, own_family, tmp_path):
    arguments = ["--output", tmp_path / "out", "--run-id", "one", "--set", "budget.front=2"]
    assert mapmerge("run", own_family / "study.yaml", *arguments).code == 0
    (own_family / "upright" / "model.safetensors").write_bytes((own_family / "base" / "model.safetensors").read_bytes())
    said = mapmerge("export", tmp_path / "out" / "runs" / "one", "--knee", "--out", tmp_path / "merged")
    assert said.code == 2
    assert "upright/model.safetensors: has changed since the run measured it" in said.err


# Reporting, comparing, verifying


def test_a_report_is_one_page(mapmerge, digits_run, tmp_path):
    said = mapmerge("report", digits_run.uri, "--out", tmp_path / "report.html")
    assert said.out == f"{tmp_path}/report.html\n"
    page = (tmp_path / "report.html").read_text()
    assert page == (digits_run.folder / "report.html").read_text()
    delivered = [*digits_run.result["front"], *digits_run.result["dominated"]]
    assert page.count('<details class="drill"') == len(delivered)
    assert "no longer in the ledger" not in page
    assert mapmerge("report", digits_run.uri, "--out", tmp_path).code == 2


def test_runs_are_compared_side_by_side(mapmerge, digits_run, second):
    compared = mapmerge("compare", digits_run.uri, second["run_uri"], "--json").json
    one, other = compared["runs"]
    assert [one["run_id"], other["run_id"]] == ["first", "second"]
    assert one["hypervolume"]["value"] == pytest.approx(digits_run.result["hypervolume"]["value"])
    for run in compared["runs"]:
        assert run["gd"]["value"] >= 0
        assert run["igd"]["value"] >= 0
        assert run["evaluations"] > 0
    assert 0 <= one["win_rate"]["value"] + other["win_rate"]["value"] <= 1
    said = mapmerge("compare", digits_run.uri, second["run_uri"])
    for words in ("first", "second", "hypervolume", "IGD", "win rate"):
        assert words in said.out


def test_runs_that_cannot_be_compared(mapmerge, digits_run, digits_family, tmp_path):
    alone = mapmerge("compare", digits_run.uri)
    assert (alone.code, "give at least two runs" in alone.err) == (2, True)
    arguments = ["--output", tmp_path, "--run-id", "other", "--set", "objectives.0.options.metric=cross_entropy"]
    assert mapmerge("run", digits_family / "study.yaml", *arguments, "--set", "budget.front=2").code == 0
    said = mapmerge("compare", digits_run.uri, tmp_path / "runs" / "other")
    assert said.code == 2
    assert "have different objectives: nothing to compare" in said.err


def spoil_result(run):
    text = (run / "result.json").read_text()
    (run / "result.json").write_text(text.replace('"seed":0', '"seed":7'))
    return "file result.json was changed"


def lose_report(run):
    (run / "report.html").unlink()
    return "file report.html is missing"


def add_file(run):
    (run / "extra.json").write_text("{}")
    return "file extra.json was added"


def a_record(run):
    key = min(json.loads((run / "manifest.json").read_text())["evaluations"])
    return run.parent.parent / "evaluations" / key[:2] / f"{key}.json"


def lose_evaluation(run):
    record = a_record(run)
    record.unlink()
    return f"evaluation {record.stem} is missing"


def spoil_evaluation(run):
    record = a_record(run)
    record.write_text(record.read_text().replace('"seconds":', '"seconds":1'))
    return f"evaluation {record.stem} is damaged"


def spoil_manifest(run):
    (run / "manifest.json").write_text("{}")
    return "manifest.json is damaged"


@pytest.mark.parametrize(
    "spoil", [spoil_result, lose_report, add_file, lose_evaluation, spoil_evaluation, spoil_manifest]
)
def test_verify_finds_what_changed(mapmerge, copy, spoil):
    assert mapmerge("verify", copy).code == 0
    words = spoil(copy)
    said = mapmerge("verify", copy)
    assert said.code == 1
    assert ": 1 problem\n" in said.err
    assert words in said.err
    assert said.out == ""


def test_a_reader_that_has_seen_enough(digits_run, start):
    process = start("front", digits_run.uri, "--json")
    head = subprocess.run(["head", "-c", "10"], stdin=process.stdout, capture_output=True, text=True, check=True)
    process.stdout.close()
    assert head.stdout.startswith("{")
    assert process.wait(timeout=60) == 0
    assert process.stderr.read() == ""
