"""The corridor from end to end: real models, a real Prefect server, real Ray actors."""

import base64
import json
from xml.etree import ElementTree

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter

from flows import corridor
from flows.pareto import find_front, resume_front
from mapmerge.errors import RunError
from mapmerge.finished import FinishedRun
from mapmerge.ledger.evaluations import EvaluationLedger

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

PEAKS = {"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}}


def science(result):
    """What a run found, without when and where it was computed."""
    left = {key: value for key, value in result.items() if key not in ("run_uri", "run_id", "seconds", "provenance")}
    origin = {key: value for key, value in result["provenance"].items() if key not in ("started", "finished")}
    return left, {key: value for key, value in origin.items() if key != "executor"}


def flow_run_of(client, run_id):
    """Return the flow run that began a run; later ones of its name were refused or resumed it."""
    found = client.read_flow_runs(flow_run_filter=FlowRunFilter(name={"any_": [run_id]}))
    return min(found, key=lambda run: run.start_time)


def task_runs(run_id):
    """Return the state of a flow run, and names and states of its tasks in the order in which they began."""
    with get_client(sync_client=True) as client:
        flow_run = flow_run_of(client, run_id)
        found = client.read_task_runs(flow_run_filter=FlowRunFilter(id={"any_": [flow_run.id]}))
    found.sort(key=lambda run: run.start_time)
    return flow_run.state.name, [(run.name.rpartition("-")[0], run.state.name) for run in found]


def artifacts(run_id):
    """Return the artifacts of a flow run by key; those of one key in the order in which they were made."""
    with get_client(sync_client=True) as client:
        chosen = ArtifactFilter(flow_run_id={"any_": [flow_run_of(client, run_id).id]})
        found = client.read_artifacts(artifact_filter=chosen)
    by_key = {}
    for artifact in sorted(found, key=lambda artifact: artifact.created):
        by_key.setdefault(artifact.key, []).append(artifact)
    return by_key


def test_a_front_is_found_on_real_models(digits_run):
    result = digits_run.result
    assert result["status"] == "complete"
    assert result["run_uri"] == f"file://{digits_run.folder}"
    assert [objective["name"] for objective in result["objectives"]] == ["upright", "reversed"]
    assert result["experts"] == ["upright", "reversed"]
    assert 1 <= len(result["front"]) <= 8
    experts = result["baselines"]["experts"]
    assert experts["upright"]["measured"]["upright"] > experts["reversed"]["measured"]["upright"] + 0.1
    assert experts["reversed"]["measured"]["reversed"] < experts["upright"]["measured"]["reversed"] - 0.1
    assert result["hypervolume"]["value"] > 0.3
    assert result["comparisons"][0]["words"] == "better"  # than the unmerged models
    for name in ("upright", "reversed"):
        assert result["surrogates"][name]["r2_cv"] > 0.5
        assert result["surrogates"][name]["points"] == 12
    assert result["surrogates"]["upright"]["link"] == "logistic"
    assert result["surrogates"]["reversed"]["link"] == "softplus"


def test_what_a_run_paid_is_what_the_ledger_holds(digits_run):
    result = digits_run.result
    records = [json.loads(path.read_text()) for path in (digits_run.output / "evaluations").rglob("*.json")]
    records = [record for record in records if record["run"] == "first"]  # others share this ledger
    assert result["evaluations"] == len(records)
    assert result["items_forwarded"] == 200 * len(records)
    assert result["evaluations_reused"] == result["evaluations_failed"] == 0
    run = FinishedRun.open(digits_run.uri)
    assert run.folder.verify(EvaluationLedger(run.folder.store)) == []
    assert (digits_run.folder / "report.html").read_text().startswith("<!doctype html>")
    assert json.loads((digits_run.folder / "result.json").read_text()) == result


def test_ray_finds_the_same_front_as_the_serial_executor_to_the_last_bit(
    digits_run, digits_family, local_ray, tmp_path
):
    study = str(digits_family / "study.yaml")
    uri = find_front(study, str(tmp_path), "by-ray", ["compute.executor=ray", "compute.num_cpus=0.5"])
    result = FinishedRun.open(uri).result
    assert result["provenance"]["executor"] == "ray"
    assert digits_run.result["provenance"]["executor"] == "serial"
    assert science(result) == science(digits_run.result)


def test_prefect_shows_every_stage_as_a_task(digits_run):
    assert task_runs("first") == (
        "Completed",
        [
            (name, "Completed")
            for name in ("prepare", "measure design", "measure scalars", "search", "re-measure front", "publish")
        ],
    )


def test_prefect_shows_what_was_found(digits_run):
    shown = artifacts("first")
    assert sorted(shown) == [f"digits-2-{key}" for key in ("front", "picture", "progress", "report", "summary")]
    (summary,), (front,), (report,) = (shown[f"digits-2-{key}"] for key in ("summary", "front", "report"))
    assert summary.type == "markdown"
    assert digits_run.result["verdict"] in summary.data
    rows = json.loads(front.data)
    assert [row["id"] for row in rows] == [point["id"] for point in digits_run.result["front"]]
    assert list(rows[0]) == ["id", "c upright", "c reversed", "upright", "reversed"]
    (picture,) = shown["digits-2-picture"]
    assert picture.type == "image"
    kind, drawn = picture.data.split(",")
    assert kind == "data:image/svg+xml;base64"
    title = ElementTree.fromstring(base64.b64decode(drawn)).find("{http://www.w3.org/2000/svg}title")
    assert title.text == f"{len(rows)} merged models on the measured front over upright, reversed"
    rounds = shown["digits-2-progress"]
    assert [progress.type for progress in rounds] == ["progress"] * 3
    assert [progress.data for progress in rounds] == [100.0] * 3
    assert [progress.description for progress in rounds][:2] == ["design: 12 candidates", "scalars: 3 candidates"]
    assert report.type == "markdown"
    assert f"{digits_run.uri}/report.html" in report.data


def test_the_same_study_again_measures_nothing_and_says_so(mapmerge, digits_run, digits_family):
    said = mapmerge("run", digits_family / "study.yaml", "--output", digits_run.output, "--run-id", "again", "--json")
    assert said.code == 0
    again, first = said.json, digits_run.result
    assert again["evaluations"] == again["items_forwarded"] == 0
    assert again["evaluations_reused"] == first["evaluations"]
    assert "nothing was measured: the ledger already had every evaluation of this study" in again["warnings"]
    assert again["front"] == first["front"]
    assert again["verdict"] == first["verdict"]
    assert mapmerge("verify", f"{digits_run.output}/runs/again").code == 0


def test_an_expert_more_reuses_what_was_measured_without_it(mapmerge, probe_family, tmp_path):
    peaks = {name: {"peak": [*options["peak"], 0.0]} for name, options in PEAKS.items()}
    large = probe_family(objectives=peaks, k=3, budget={"evaluations": 12, "front": 3})
    small = large.with_name("small.yaml")
    small.write_text(large.read_text().replace("- name: e2\n  checkpoint: e2.safetensors\n", ""))
    assert mapmerge("run", small, "--output", tmp_path / "out").code == 0
    result = mapmerge("run", large, "--output", tmp_path / "out", "--json").json
    # base, e0 and e1 on two objectives and two splits; the scalars and the uniform merge have a third coefficient now
    assert result["evaluations_reused"] == 3 * 2 * 2
    assert result["evaluations"] > 0


def test_a_failed_gate_measures_more_and_then_warns_by_name(mapmerge, probe_family, tmp_path):
    objectives = {"z": PEAKS["z"], "a": {"peak": [30.0, 30.0]}, "m": PEAKS["a"]}
    study = probe_family(objectives=objectives, design={"points": 6}, budget={"evaluations": 9}, gate={"min_r2": 1.0})
    said = mapmerge("run", study, "--output", tmp_path / "out", "--run-id", "gated", "--json")
    assert said.code == 0
    result = said.json
    assert [step["round"] for step in result["history"]] == ["design"] * 6 + ["gate-1"] * 3
    # The objective in the middle is the same for every candidate: nothing to predict, nothing to doubt.
    assert [result["surrogates"][name]["passed"] for name in "zam"] == [False, True, False]
    gates = [warning for warning in result["warnings"] if "failed its gate" in warning]
    assert ["'z'" in gates[0], "'m'" in gates[1], len(gates)] == [True, True, 2]
    assert "measure gate-1" in [name for name, _ in task_runs("gated")[1]]


def test_evaluations_that_fail_are_records_and_the_run_goes_on(mapmerge, probe_family, tmp_path):
    failing = {**PEAKS["a"], "trouble": "error", "above": 1.05}
    study = probe_family(
        objectives={"z": PEAKS["z"], "a": failing},
        design={"kind": "sobol", "upper": 1.3},
        compute={"max_failed_fraction": 0.3},
    )
    said = mapmerge("run", study, "--output", tmp_path / "out", "--run-id", "one", "--json")
    assert said.code == 0, said.err
    result = said.json
    assert result["evaluations_failed"] == len(result["failures"]) > 0
    for failure in result["failures"]:
        assert failure["objective"] == "a"
        assert failure["coefficients"]["e0"] > 1.05
        assert failure["error"].startswith("RuntimeError: cannot measure")
    assert result["surrogates"]["a"]["points"] < result["surrogates"]["z"]["points"] == 12
    assert " failed" in said.err


def test_too_many_failures_fail_the_run_which_then_can_be_resumed(mapmerge, probe_family, tmp_path):
    study = probe_family(objectives={"z": PEAKS["z"], "a": {**PEAKS["a"], "trouble": "error", "above": 0.0}})
    said = mapmerge("run", study, "--output", tmp_path / "out", "--run-id", "one", "--json")
    assert said.code == 1
    assert said.out == ""
    for word in (
        "round 'design'",
        "of 24 evaluations on search items failed",
        "compute.max_failed_fraction = 0.2",
        "cannot measure",
    ):
        assert word in said.err
    half = mapmerge("front", tmp_path / "out" / "runs" / "one")
    assert half.code == 2
    assert "this is half of a run" in half.err
    # It remembers its failures, so that going on ends the same way without measuring them again.
    again = mapmerge("resume", tmp_path / "out" / "runs" / "one")
    assert again.code == 1
    assert "cannot measure" in again.err


def test_a_store_that_stumbles_is_asked_again(mapmerge, probe_family, tmp_path, monkeypatch):
    study = probe_family(objectives=PEAKS)
    assert mapmerge("run", study, "--output", tmp_path / "sound", "--run-id", "one").code == 0
    put, calls = EvaluationLedger.put, []

    def stumble(*arguments, **options):
        calls.append(1)
        if len(calls) in (5, 40):
            raise ConnectionResetError("the store stumbled")
        return put(*arguments, **options)

    monkeypatch.setattr(EvaluationLedger, "put", stumble)
    assert mapmerge("run", study, "--output", tmp_path / "shaky", "--run-id", "one").code == 0
    sound, shaky = (FinishedRun.open(f"{tmp_path}/{name}/runs/one").result for name in ("sound", "shaky"))
    assert science(shaky) == science(sound)
    assert len(calls) == sound["evaluations"] + 2


def test_a_complete_run_is_left_as_it_is(digits_run):
    before = {path: path.stat().st_mtime_ns for path in digits_run.folder.rglob("*.*") if "leases" not in path.parts}
    assert resume_front(digits_run.uri) == digits_run.uri
    after = {path: path.stat().st_mtime_ns for path in digits_run.folder.rglob("*.*") if "leases" not in path.parts}
    assert after == before


def test_a_study_is_found_from_any_folder_and_a_run_gets_a_name(digits_family, tmp_path, monkeypatch):
    monkeypatch.chdir(digits_family)
    uri = find_front("study.yaml", str(tmp_path / "out"), None, ["budget.evaluations=6", "budget.front=2"])
    assert uri.startswith(f"file://{tmp_path}/out/runs/")
    assert FinishedRun.open(uri).result["run_id"] == uri.rpartition("/")[2]


@pytest.mark.parametrize("run_id", [None, "one"])
def test_a_retry_of_a_flow_run_goes_on_with_its_run(probe_family, tmp_path, monkeypatch, run_id):
    study = probe_family(objectives={name: {**options, "marks": "marks"} for name, options in PEAKS.items()})
    (study.parent / "marks").mkdir()
    search, tries = corridor.search, []

    def die_once(*arguments):
        tries.append(len(list((study.parent / "marks").iterdir())))
        if len(tries) == 1:
            raise RuntimeError("the node is gone")
        return search(*arguments)

    monkeypatch.setattr(corridor, "search", die_once)
    uri = find_front.with_options(retries=1)(str(study), str(tmp_path / "out"), run_id)
    assert len(tries) == 2
    assert tries[0] == tries[1] > 0  # nothing was measured twice
    run = FinishedRun.open(uri)
    assert [path.name for path in (tmp_path / "out" / "runs").iterdir()] == [run.folder.run_id]
    kinds = [event["kind"] for event in run.folder.events()]
    assert kinds.count("started") == kinds.count("resumed") == 1
    assert run.folder.run_id == (run_id or f"probe-{run.folder.study()['flow_run'][-12:]}")


def test_another_flow_run_is_still_refused_the_same_run_id(digits_run, digits_family):
    with pytest.raises(RunError, match="there already is a run of this id"):
        find_front(str(digits_family / "study.yaml"), str(digits_run.output), "first")
