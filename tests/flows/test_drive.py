"""Runs from Python are the runs of the command line: the same flow, the same errors, and nothing told to anybody."""

import json
import os
import subprocess
import sys

import pytest
import rich.console
import yaml

import mapmerge as library
from flows.live import live_progress
from mapmerge import running
from mapmerge.errors import ConfigError, MissingPackageError
from tasks.progress import Progress, report

FRESH = """
import json, sys
import mapmerge
assert not {"prefect", "ray", "torch"} & set(sys.modules)
study, output = sys.argv[1:]
front = mapmerge.run(study, output=output, run_id="one", overrides=["budget.front=4"])
again = mapmerge.resume(front.uri)
from prefect.settings import PREFECT_SERVER_ANALYTICS_ENABLED as analytics
from prefect._internal.analytics import is_telemetry_enabled
told = bool(analytics.value()) or is_telemetry_enabled()
ids = [point.id for point in front.points]
print(json.dumps({"uri": front.uri, "ids": ids, "same": again.result == front.result, "told": told}))
"""

SETTINGS = """
import json, os, sys
from flows.drive import quiet_orchestrators
quiet_orchestrators()
from prefect.settings import get_current_settings
settings = get_current_settings()
print(json.dumps([settings.server.analytics_enabled, settings.logging.level, os.environ["DO_NOT_TRACK"]]))
"""


def bare(**more):
    """The environment without anything that is said to Prefect or Ray."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "RAY_", "DO_NOT"))}
    return {**kept, **more}


def spoil(family):
    path = family / "study.yaml"
    study = yaml.safe_load(path.read_text())
    study["experst"] = study.pop("experts")
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return path


def test_a_bad_study_is_the_error_of_the_command_line(own_family, mapmerge, tmp_path):
    study = spoil(own_family)
    said = mapmerge("run", study, "--output", tmp_path / "out")
    with pytest.raises(ConfigError) as error:
        library.run(study, output=tmp_path / "out")
    assert said.err == f"mapmerge: {error.value}\n"
    assert "did you mean 'experts'" in said.err
    with pytest.raises(ConfigError, match="did you mean 'experts'"):
        library.plan(study)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("overrides", ["seed=1", [("seed", 1)]])
def test_overrides_are_texts(digits_family, overrides):
    with pytest.raises(ConfigError, match="expected a list of texts"):
        library.run(digits_family / "study.yaml", overrides=overrides)


def test_without_a_runner_it_is_said_how_to_get_one(digits_family, monkeypatch):
    monkeypatch.setattr(running, "RUNNER", "nobody")
    with pytest.raises(MissingPackageError, match="no entry point 'nobody'"):
        library.plan(digits_family / "study.yaml")


def test_a_plan_is_that_of_the_command_line(digits_family, mapmerge):
    study = digits_family / "study.yaml"
    planned, said = library.plan(study, overrides=["budget.front=3"]), mapmerge("plan", study, "--json").json
    assert planned.keys() == said.keys()
    assert planned["total"]["evaluations"] < said["total"]["evaluations"]


def test_orchestrators_are_quiet_unless_the_user_has_said_otherwise():
    def settings(**more):
        done = subprocess.run(
            [sys.executable, "-c", SETTINGS], env=bare(**more), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)

    assert settings() == [False, "WARNING", "1"]
    said = {"PREFECT_SERVER_ANALYTICS_ENABLED": "true", "PREFECT_LOGGING_LEVEL": "INFO", "DO_NOT_TRACK": "0"}
    assert settings(**said) == [True, "INFO", "0"]


def test_a_notebook_gets_lines_that_are_not_red(capsys, monkeypatch):
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    with live_progress():
        report(Progress("prepare"))
    assert capsys.readouterr() == ("prepare\n", "")


@pytest.mark.slow
def test_a_run_in_a_fresh_process(digits_family, digits_run, tmp_path):
    study, out = digits_family / "study.yaml", tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(study), str(out)],
        env=bare(PREFECT_HOME=str(tmp_path / "prefect")),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)  # and nothing else: progress goes to stderr
    assert said == {"uri": f"file://{out}/runs/one", "ids": said["ids"], "same": True, "told": False}
    assert 1 <= len(said["ids"]) <= 4
    lines = done.stderr.splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("run one", "prepare", "publish")


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_what_only_the_flow_finds_is_the_library_s_error_too(own_family, tmp_path):
    (own_family / "upright" / "model.safetensors").write_bytes(b"")
    with pytest.raises(library.BadInputError, match="the file is empty"):
        library.run(own_family / "study.yaml", output=tmp_path / "out", run_id="one")


@pytest.mark.slow
def test_an_export_is_that_of_the_command_line(digits_run, mapmerge, tmp_path):
    front = library.open_front(digits_run.uri)
    picked = front.pick(prefer={"upright": 2, "reversed": 1})
    for point, words in ((picked, ["--prefer", "upright=2,reversed=1"]), ("p01", ["--point", "p01"])):
        mine, its = tmp_path / f"mine-{words[1]}", tmp_path / f"its-{words[1]}"
        assert front.export(point, mine) == str(mine)
        assert mapmerge("export", digits_run.uri, *words, "--out", its).code == 0
        assert {path.name: path.read_bytes() for path in mine.iterdir()} == {
            path.name: path.read_bytes() for path in its.iterdir()
        }
