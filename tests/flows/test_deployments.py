"""What `deployments/` says fits the flows, and Prefect's form can be filled in by hand."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from flows.deploying.declared import FILE, Options, PoolType, deployment, release_of, work_pool
from flows.deploying.written import read_written
from mapmerge.errors import BadInputError, ConfigError, MissingFileError

SET = {
    "MAPMERGE_OUTPUT": "s3://bucket/out",
    "MAPMERGE_RAY": "head:6379",
    "MAPMERGE_STUDY": "/data/study.yaml",
    "MAPMERGE_EXPERTS": "s3://bucket/experts",
    "MAPMERGE_NOTIFY": "slack-webhook/mapmerge",
}
PRODUCTION = Options("mapmerge", "process", None, None, production=True)
WRITTEN = {each.name: each for each in read_written(FILE, SET).deployments}
TEMPLATES = {path.stem: json.loads(path.read_text()) for path in (FILE.parent / "work-pools").iterdir()}


def values(name, environment=SET, options=PRODUCTION):
    written = {each.name: each for each in read_written(FILE, environment).deployments}
    thing, notes = deployment(written[name], options, "1.0")
    return thing.values, notes


@pytest.mark.parametrize("name", WRITTEN)
def test_every_parameter_can_be_filled_in_by_hand(name):
    said, notes = values(name)
    schema = said["parameter_openapi_schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    for parameter, about in schema["properties"].items():
        assert len(about.get("description", "")) > 10, parameter
        kinds = [each.get("type") for each in about.get("anyOf", [about])]
        assert set(kinds) <= {"string", "boolean", "number", "array", "object", "null"}, parameter
    assert set(said["parameters"]) <= set(schema["properties"])
    jsonschema.validate(said["parameters"], {**schema, "required": []})
    assert not notes
    for schedule in said["schedules"]:
        jsonschema.validate({**said["parameters"], **schedule["parameters"]}, schema)


def test_there_is_a_deployment_for_all_that_is_done():
    methods = [each.parameters.get("method") for each in WRITTEN.values() if "pareto.find_front" in each.entrypoint]
    assert methods == [None, "map", "adaptive"]
    entries = {each.entrypoint.rpartition(".")[2] for each in WRITTEN.values()}
    upkeep = {"check_health", "compare_runs", "prune_store", "verify_runs", "watch_family"}
    assert entries == {"find_front", "resume_front", "remeasure_front", *upkeep}


def test_a_person_is_asked_for_what_no_variable_says():
    said, _ = values("find-front", {})
    assert said["parameters"] == {}
    assert said["parameter_openapi_schema"]["required"] == ["study", "output"]


def test_schedules_are_in_force_in_production_and_only_with_all_that_they_need():
    assert [each["active"] for each in values("prune-store")[0]["schedules"]] == [True]
    quiet = Options("mapmerge", "process", None, None, production=False)
    assert [each["active"] for each in values("prune-store", options=quiet)[0]["schedules"]] == [False]
    said, notes = values("watch-family", {"MAPMERGE_OUTPUT": "/out"})
    assert [each["active"] for each in said["schedules"]] == [False]
    assert "'hourly' is not in force, for there is no study and no experts" in notes[0]


def test_what_is_scheduled_prunes_and_what_a_person_starts_does_not():
    said, _ = values("prune-store")
    assert said["parameter_openapi_schema"]["properties"]["dry_run"]["default"] is True
    assert "dry_run" not in said["parameters"]
    assert said["schedules"][0]["parameters"] == {"dry_run": False}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_variable_of_a_work_pool_is_used_and_described(kind):
    template = TEMPLATES[kind]
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"])
    jsonschema.Draft202012Validator.check_schema(template["variables"])
    for name, about in template["variables"]["properties"].items():
        assert about["description"], name
        if "default" in about:
            jsonschema.validate(about["default"], about)


def test_every_type_has_a_work_pool():
    assert set(TEMPLATES) == set(PoolType.__args__)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("work_queue: urgent", "work_queue: none", "there is no queue 'none'"),
        ("slug: weekly", "name: weekly", "deployments.7.schedules.0.slug: Field required"),
        ("limit: 1,", "limit: 0,", "greater than or equal to 1"),
        ("name: mapmerge\npull", "name: mapmerge\nname: twice\npull", "name"),
    ],
)
def test_a_file_with_a_mistake_is_refused_in_words(tmp_path, old, new, why):
    text = FILE.read_text()
    assert old in text
    (tmp_path / "prefect.yaml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=re.escape(why)):
        read_written(tmp_path / "prefect.yaml", SET)
    with pytest.raises(MissingFileError, match="--file"):
        read_written(tmp_path / "other.yaml", SET)


def test_a_parameter_or_a_flow_that_is_not_there_is_named(tmp_path):
    for old, new, why in (
        ("{dry_run: false}", "{dryrun: false}", "flow prune-store has no parameter 'dryrun'"),
        ("flows.prune.prune_store", "flows.prune.prune_all", "flows.prune.prune_all"),
    ):
        (tmp_path / "prefect.yaml").write_text(FILE.read_text().replace(old, new))
        written = read_written(tmp_path / "prefect.yaml", SET)
        (one,) = [each for each in written.deployments if each.name == "prune-store"]
        with pytest.raises(BadInputError, match=re.escape(why)):
            deployment(one, PRODUCTION, "1.0")


@pytest.mark.parametrize(
    ("python", "command"), [(None, None), ("/opt/a b/python", "'/opt/a b/python' -m prefect.engine")]
)
def test_runs_begin_in_the_python_of_the_workers(python, command):
    written = read_written(FILE, SET).work_pool
    for kind in TEMPLATES:
        pool = work_pool(written, Options("mapmerge", kind, "m:1", python, production=False))
        variables = pool.values["base_job_template"]["variables"]["properties"]
        assert variables["command"].get("default") == (command if kind == "process" else None)


def test_the_version_is_what_git_says_and_that_of_the_package_without_git(tmp_path):
    from importlib.metadata import version

    assert release_of(tmp_path) == version("mapmerge")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "v7"]):
        subprocess.run([*git, *words], check=True)
    assert release_of(tmp_path) == "v7"


def test_the_file_and_its_work_pools_are_part_of_the_package():
    import tomllib

    about = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "deployments*" in about["packages"]["find"]["include"]
    assert yaml.safe_load(FILE.read_text())["pull"] == []
