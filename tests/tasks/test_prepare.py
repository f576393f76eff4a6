"""A run begins only when everything can be used, and goes on only with what it began with."""

import re
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file, save_file

from mapmerge.errors import BadInputError, ConfigError, RunError
from mapmerge.ledger.lease import Lease
from mapmerge.ledger.store import Store
from tasks.prepare import new_run_id, prepare, reopen

PEAK = {"peak": [0.5, 0.5]}


def test_a_new_run_is_named_after_its_study_and_the_time():
    stamp = r"-\d{8}-\d{6}-[0-9a-f]{4}"
    assert re.fullmatch("my-study" + stamp, new_run_id("/somewhere/My_Study.yaml"))
    assert re.fullmatch("somewhere" + stamp, new_run_id("/somewhere/study.yaml"))
    assert re.fullmatch("run" + stamp, new_run_id("/somewhere/ß.yaml"))
    assert new_run_id("a.yaml") != new_run_id("a.yaml")


def test_a_study_that_cannot_be_used_leaves_no_run(probe_family, tmp_path):
    study = probe_family(objectives={"z": PEAK})
    (study.parent / "e0.safetensors").write_bytes(b"")
    with pytest.raises(BadInputError):
        prepare.fn(str(study), str(tmp_path / "out"), "one", [])
    assert not (tmp_path / "out").exists()


def test_two_runs_on_one_id(probe_family, tmp_path):
    study = str(probe_family(objectives={"z": PEAK}))
    prepare.fn(study, str(tmp_path), "one", [])
    before = (tmp_path / "runs" / "one" / "study.json").read_bytes()
    with pytest.raises(RunError, match=r"already is a run of this id; go on with it by `mapmerge resume .*/runs/one`"):
        prepare.fn(study, str(tmp_path), "one", ["seed=5"])
    assert (tmp_path / "runs" / "one" / "study.json").read_bytes() == before


@pytest.mark.parametrize("run_id", ["Upper", "a/b", "-a", "", "a" * 64])
def test_a_run_id_that_is_none(probe_family, tmp_path, run_id):
    with pytest.raises(RunError, match="expected lower-case letters"):
        prepare.fn(str(probe_family(objectives={"z": PEAK})), str(tmp_path / "out"), run_id, [])


def test_a_reopened_run_is_the_run_that_was_prepared(probe_family, tmp_path):
    run = prepare.fn(str(probe_family(objectives={"z": PEAK})), str(tmp_path), "one", ["seed=3"])
    again = reopen.fn(run.uri, [])
    assert again.frozen == run.frozen
    assert again.study.ask().coefficients.tobytes() == run.study.ask().coefficients.tobytes()
    assert again.config.seed == 3


def test_a_run_waits_for_a_prune_that_may_not_have_seen_it(probe_family, tmp_path, monkeypatch):
    """What is removed before the run looks for it is measured again; afterwards nothing may be removed any more."""
    study, store = str(probe_family(objectives={"z": PEAK})), Store(str(tmp_path))
    was_there = []
    for begin in (lambda: prepare.fn(study, str(tmp_path), "one", []), lambda: reopen.fn(f"{tmp_path}/runs/one", [])):
        with Lease(store.child("pruning")) as lease:

            def over(seconds, lease=lease):
                was_there.append(store.exists("runs/one/study.json"))
                lease.__exit__(None, None, None)

            monkeypatch.setattr("tasks.prepare.time", SimpleNamespace(sleep=over))
            assert begin().folder.run_id == "one"
    assert was_there == [True, True]


def test_only_where_it_is_computed_may_change(probe_family, tmp_path):
    run = prepare.fn(str(probe_family(objectives={"z": PEAK})), str(tmp_path), "one", [])
    assert reopen.fn(run.uri, ["compute.executor=ray", "compute.actors=2"]).config.compute.actors == 2
    with pytest.raises(ConfigError, match=r"--set seed=1: a resumed run can only change values under `compute`"):
        reopen.fn(run.uri, ["compute.actors=2", "seed=1"])
    with pytest.raises(ConfigError, match="did you mean 'actors'"):
        reopen.fn(run.uri, ["compute.actor=2"])


def test_a_run_whose_inputs_changed_is_not_resumed(probe_family, tmp_path):
    study = probe_family(objectives={"z": PEAK, "a": PEAK})
    run = prepare.fn(str(study), str(tmp_path), "one", [])
    weights = load_file(study.parent / "e1.safetensors")
    save_file({"weight": weights["weight"] * 1.01}, study.parent / "e1.safetensors")
    (study.parent / "held_out.json").write_text('{"name": "held_out", "items": 65}')
    with pytest.raises(RunError) as error:
        reopen.fn(run.uri, [])
    said = str(error.value)
    assert "its inputs have changed since it began" in said
    for changed in ("experts.e1", "evaluators.a.held_out.items", "evaluators.z.held_out.identity"):
        assert changed in said
    assert "experts.e0" not in said
    assert "search" not in said


@pytest.mark.parametrize("uri", ["nowhere/runs/one", "runs", "nowhere"])
def test_a_run_that_is_none(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"there is no run here|expected the URI of a run"):
        reopen.fn(uri, [])
