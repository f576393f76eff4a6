import json
import threading

import numpy as np
import pytest

from mapmerge.errors import IntegrityError, MissingFileError, RunError
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder, find_run, open_run
from mapmerge.ledger.store import Store

STUDY = {"name": "digits", "seed": 3}


@pytest.fixture
def run(store):
    folder = RunFolder(store, "first-run")
    folder.create(STUDY)
    return folder


@pytest.fixture
def ledger(store):
    return EvaluationLedger(store)


@pytest.fixture
def sealed(run, ledger):
    keys = [
        ledger.put({"place": place}, np.ones(5, dtype=np.float32), seconds=0, device="cpu", run="first").key
        for place in range(3)
    ]
    run.put_json("result", {"points": 3})
    run.files.create("report.html", b"<p>report</p>")
    run.append_event("started", {})
    run.seal(ledger, keys)
    return run


@pytest.mark.parametrize("run_id", ["a", "0", "a-1", "x" * 63])
def test_run_ids(store, run_id):
    assert RunFolder(store, run_id).uri == f"{store.uri}/runs/{run_id}"


@pytest.mark.parametrize("run_id", ["", "-a", "A", "a_b", "a/b", "..", "x" * 64, "a\n", "é"])
def test_other_run_ids_are_refused(store, run_id):
    with pytest.raises(RunError, match="lower-case letters, digits and dashes"):
        RunFolder(store, run_id)


def test_a_run_id_is_taken_once(run, store):
    assert RunFolder(store, "first-run").study() == STUDY
    with pytest.raises(RunError, match=r"already is a run of this id.*mapmerge resume .*runs/first-run"):
        RunFolder(store, "first-run").create({"name": "other"})
    assert run.study() == STUDY


def test_json_files_are_replaced(run):
    run.put_json("state", {"round": 1})
    run.put_json("state", {"round": 2})
    assert run.get_json("state") == {"round": 2}
    with pytest.raises(MissingFileError, match=r"nothing\.json"):
        run.get_json("nothing")


@pytest.mark.parametrize("name", ["study", "manifest", "leases/000001", "events/x", "failures/x"])
def test_the_folder_keeps_its_own_files(run, name):
    with pytest.raises(ValueError, match="which the run folder writes"):
        run.put_json(name, {})


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", "a/../../b", ".hidden"])
def test_names_cannot_leave_the_folder(run, name):
    with pytest.raises(ValueError, match="store key"):
        run.put_json(name, {})


def test_damaged_json_is_named(run):
    run.files.replace("state.json", b"{")
    with pytest.raises(IntegrityError, match=r"runs/first-run/state\.json: expected a JSON object"):
        run.get_json("state")


def test_the_first_failure_of_a_key_stands(run):
    details = {"objective": "digits", "coefficients": {"a": 0.5}}
    assert run.record_failure("k1", error="NaN", attempts=3, details=details)
    assert not run.record_failure("k1", error="other", attempts=1, details={})
    run.record_failure("k0", error="timeout", attempts=2, details={})
    assert [failure["key"] for failure in run.failures()] == ["k0", "k1"]
    assert run.failures()[1] == {"key": "k1", "error": "NaN", "attempts": 3, "details": details}


def test_events_are_numbered_in_order_across_openings(run, store):
    run.append_event("round-started", {"round": 1})
    run.append_event("round-finished", {"round": 1})
    again = RunFolder(store, "first-run")
    again.append_event("resumed", {})
    assert [(event["number"], event["kind"]) for event in run.events()] == [
        (1, "round-started"), (2, "round-finished"), (3, "resumed"),
    ]  # fmt: skip
    assert run.events()[0]["payload"] == {"round": 1}
    assert run.files.list("events")[0] == "events/000001-round-started.json"


def test_events_of_threads_all_are_kept(run):
    threads = [threading.Thread(target=run.append_event, args=("beat", {"n": n})) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event["number"] for event in run.events()] == list(range(1, 17))
    assert sorted(event["payload"]["n"] for event in run.events()) == list(range(16))


def test_an_event_number_that_is_taken_is_passed_over(run, store):
    other = RunFolder(store, "first-run")
    run.append_event("a", {})
    other.append_event("a", {})
    run.append_event("a", {})
    other.append_event("a", {})
    assert [event["number"] for event in run.events()] == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["", "A", "a b", "a/b", "-a", "a_b"])
def test_other_event_kinds_are_refused(run, kind):
    with pytest.raises(ValueError, match="event kind"):
        run.append_event(kind, {})


def test_a_run_is_held_by_one(run):
    with run.lease(), pytest.raises(RunError, match=r"runs/first-run/leases: the run is held by"):
        run.lease().__enter__()
    with run.lease():
        pass


def test_a_sealed_run_is_complete_and_verifies(sealed, ledger):
    assert sealed.is_complete()
    assert sealed.verify(ledger) == []
    with sealed.lease():
        pass
    assert sealed.verify(ledger) == []
    assert open_run(sealed.uri).study() == STUDY


def test_the_manifest_names_files_and_evaluations(sealed):
    manifest = json.loads(sealed.files.read("manifest.json"))
    assert manifest["schema"] == "mapmerge/run/1"
    assert sorted(manifest["files"]) == ["events/000001-started.json", "report.html", "result.json", "study.json"]
    assert manifest["files"]["report.html"]["size"] == 13
    assert len(manifest["evaluations"]) == 3


def test_a_run_is_sealed_once(sealed, ledger):
    with pytest.raises(RunError, match="complete already"):
        sealed.seal(ledger, [])


def test_a_run_is_sealed_only_with_all_its_evaluations(run, ledger):
    with pytest.raises(RunError, match=r"1 of 1 evaluations are not in the ledger.*mapmerge resume"):
        run.seal(ledger, ["0" * 64])
    assert not run.is_complete()


def test_sealing_and_verifying_read_few_objects_at_a_time(run, ledger, monkeypatch):
    monkeypatch.setattr("mapmerge.ledger.store._AT_ONCE", 2)
    keys = [
        ledger.put({"place": place}, np.ones(5, dtype=np.float32), seconds=0, device="cpu", run="first").key
        for place in range(7)
    ]
    for number in range(7):
        run.append_event("started", {"number": number})
    asked = []
    for store in (run.files, ledger.store):
        read = store._objects.read_many
        monkeypatch.setattr(
            store._objects, "read_many", lambda keys, limit, read=read: asked.append(len(keys)) or read(keys, limit)
        )
    run.seal(ledger, keys)
    assert run.verify(ledger) == []
    assert len(run.events()) == 7
    assert max(asked) == 2
    assert sum(asked) == 2 * (1 + 7) + 2 * 7 + 7  # study and events, evaluations, each twice; events


def test_verify_names_what_is_missing_changed_or_extra(sealed, ledger, store):
    sealed.files.delete("result.json")
    sealed.files.replace("report.html", b"<p>Report</p>")
    sealed.files.create("more.json", b"{}")
    missing, bad, _ = sorted(json.loads(sealed.files.read("manifest.json"))["evaluations"])
    store.delete(f"evaluations/{missing[:2]}/{missing}.json")
    store.replace(f"evaluations/{bad[:2]}/{bad}.json", b"{}")
    problems = sealed.verify(ledger)
    assert problems[:4] == [
        "file result.json is missing",
        "file report.html was changed",
        "file more.json was added",
        f"evaluation {missing} is missing",
    ]
    assert problems[4].startswith(f"evaluation {bad} is damaged")
    assert len(problems) == 5
    assert store.exists(f"evaluations/{bad[:2]}/{bad}.json")


def test_a_replaced_evaluation_is_noticed(sealed, ledger, store):
    key = next(iter(json.loads(sealed.files.read("manifest.json"))["evaluations"]))
    inputs = ledger.get(key).inputs
    store.delete(f"evaluations/{key[:2]}/{key}.json")
    ledger.put(inputs, np.zeros(5, dtype=np.float32), seconds=0, device="cpu", run="first")
    assert sealed.verify(ledger) == [f"evaluation {key} was replaced by another measurement"]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "mapmerge/run/1"}'])
def test_a_damaged_manifest_is_named(sealed, ledger, content):
    sealed.files.replace("manifest.json", content)
    (problem,) = sealed.verify(ledger)
    assert problem.startswith("manifest.json is damaged")


def test_a_manifest_of_another_run_is_named(sealed, ledger, store):
    other = RunFolder(store, "second-run")
    other.create(STUDY)
    other.files.create("manifest.json", sealed.files.read("manifest.json"))
    assert other.verify(ledger) == ["manifest.json is not a manifest of run 'second-run' with schema mapmerge/run/1"]


def test_an_unfinished_run_is_half_of_one(run, ledger):
    assert find_run(run.uri).study() == STUDY
    assert run.verify(ledger) == ["manifest.json is missing: the run is not complete"]
    with pytest.raises(RunError, match=r"half of a run \(manifest\.json is missing\); finish it by `mapmerge resume"):
        open_run(run.uri)


def test_what_is_no_run_is_named(store, tmp_path):
    with pytest.raises(RunError, match=r"no run here \(study\.json is missing\)"):
        open_run(f"{store.uri}/runs/nothing")
    for uri in ("", "somewhere", f"{store.uri}/walks/first", f"{store.uri}/runs/"):
        with pytest.raises(RunError, match="<store>/runs/<run id>"):
            open_run(uri)
    with pytest.raises(RunError, match="run id"):
        open_run(f"{store.uri}/runs/Not-An-Id")


def test_runs_are_found_by_relative_paths(tmp_path, monkeypatch):
    RunFolder(Store(str(tmp_path)), "a").create(STUDY)
    monkeypatch.chdir(tmp_path)
    assert find_run("runs/a").study() == STUDY
    assert find_run("./runs/a/").study() == STUDY
    assert find_run(f"{tmp_path}/runs/a").uri == f"file://{tmp_path}/runs/a"
