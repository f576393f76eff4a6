"""A study whose every file is on S3: the same front as from local files, and errors that name the key of the study."""

import copy
import json
import re

import pytest
import yaml

from mapmerge.ledger.store import Store
from tasks import resident
from tests.remote_files import put, upload
from tests.s3_server import reaching

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def science(result):
    """What a run found, without when and where it was computed."""
    return {key: value for key, value in result.items() if key not in ("run_uri", "run_id", "seconds", "provenance")}


@pytest.fixture
def remote(digits_family, s3):
    """The digits family's study with every file on S3."""
    upload(digits_family, f"{s3}/family")
    put(f"{s3}/family/base/config.json", b'{"width": 8}')
    said = copy.deepcopy(yaml.safe_load((digits_family / "study.yaml").read_text()))
    said["base"] = f"{s3}/family/base"
    for expert in said["experts"]:
        expert["checkpoint"] = f"{s3}/family/{expert['checkpoint']}/model.safetensors"
    for objective in said["objectives"]:
        for split in ("search", "held_out"):
            objective[split] = f"{s3}/family/{objective[split]}"
        objective["options"]["head"] = f"{s3}/family/{objective['options']['head']}"
    return said


def test_a_run_from_s3_is_the_run_from_files(
    mapmerge, digits_run, remote, write_study, s3, s3_server, own_cache, tmp_path
):
    study = write_study(tmp_path, remote)
    said = mapmerge("run", study, "--output", f"{s3}/out", "--run-id", "first", "--json")
    assert said.code == 0, said.err
    assert science(said.json) == science(digits_run.result)

    run, texts = f"{s3}/out/runs/first", [said.out, said.err]
    here = mapmerge("export", run, "--point", "p01", "--out", tmp_path / "here")
    there = mapmerge("export", run, "--point", "p01", "--out", f"{s3}/merged")
    report = mapmerge("report", run, "--out", f"{s3}/report.html")
    assert here.code == there.code == report.code == 0, here.err + there.err + report.err
    assert (there.out, report.out) == (f"{s3}/merged\n", f"{s3}/report.html\n")
    local = mapmerge("report", run, "--out", tmp_path / "report.html")
    assert local.code == 0
    exported = Store(f"{s3}/merged")
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert names == exported.list() == ["README.md", "config.json", "merge.json", "model.safetensors"]
    assert all(exported.read(name) == (tmp_path / "here" / name).read_bytes() for name in names)
    assert Store(s3).read("report.html") == (tmp_path / "report.html").read_bytes()
    plain = mapmerge("export", digits_run.uri, "--point", "p01", "--out", tmp_path / "plain")
    assert plain.code == 0, plain.err
    assert exported.read("model.safetensors") == (tmp_path / "plain" / "model.safetensors").read_bytes()
    again = mapmerge("export", run, "--point", "p01", "--out", f"{s3}/merged")
    assert (again.code, again.err) == (
        2,
        f"mapmerge: {s3}/merged: already exists; name a new folder, nothing is overwritten\n",
    )
    assert not list(own_cache.glob(".*.*")), "drafts are removed"
    for key, data in Store(s3).read_many(Store(s3).list()).items():
        assert s3_server.secret.encode() not in data, key
    assert not any(s3_server.secret in text for text in [*texts, here.err, there.err, report.err, again.err])


def test_actors_share_what_was_fetched(start, digits_run, remote, write_study, s3, own_cache, tmp_path):
    study, out = write_study(tmp_path, remote), tmp_path / "out"
    command = ("--ray", "local", "--set", "compute.actors=2", "--output", out, "--run-id", "first", "--json")
    process = start("run", study, *command)  # with a Ray of its own, which is given the credentials
    told, said = process.communicate()
    assert process.returncode == 0, said
    assert science(json.loads(told)) == science(digits_run.result)
    # Six item sets and heads are copied, and the three checkpoints read straight into one matrix.
    assert len(list(own_cache.glob("*/*.safetensors"))) == 6
    assert len(list(own_cache.glob("*/matrix.f32"))) == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"base": "s3://no-such-bucket/base"}, "base: s3://no-such-bucket/base: .*there is no such bucket"),
        ({"base": "gs://bucket/base"}, "base: gs://bucket/base: expected a path or s3://bucket/key, came gs://"),
        ({"experts.1.checkpoint": "{s3}/no"}, "experts.1.checkpoint: {s3}/no: there is no such object"),
        (
            {"experts.1.checkpoint": "{s3}/family/study.yaml"},
            "experts.1.checkpoint: {s3}/family/study.yaml: expected a",
        ),
        ({"objectives.0.held_out": "{s3}/no"}, "objectives.0.held_out: {s3}/no: there is no such object"),
        (
            {"objectives.0.search": "{s3}/family/study.yaml"},
            "objectives.0.search: item set {s3}/family/study.yaml: exp",
        ),
        ({"objectives.1.options.head": "{s3}/no"}, "objectives.1.options.head: {s3}/no: there is no such object"),
        ({"architecture.options.words": "{s3}/no"}, "architecture.options.words: {s3}/no: there is no such object"),
    ],
)
def test_what_cannot_be_had_is_bad_input(spoil, said, mapmerge, remote, write_study, s3, tmp_path):
    study = write_study(tmp_path, remote)
    overrides = [word for key, uri in spoil.items() for word in ("--set", f"{key}={uri.format(s3=s3)}")]
    plan = mapmerge("plan", study, *overrides)
    assert plan.code == 2
    assert re.match(f"mapmerge: {said.format(s3=s3)}", plan.err), plan.err


def test_who_is_not_let_in_is_told_for_what(mapmerge, remote, write_study, s3, s3_server, tmp_path):
    study = write_study(tmp_path, remote)
    with reaching({**s3_server.environment(), "AWS_SECRET_ACCESS_KEY": "wrong-word"}):
        said = mapmerge("plan", study)
    assert said.code == 2
    assert said.err.startswith(f"mapmerge: base: {s3}/family/base: expected to be let in, came 403")
    assert "wrong-word" not in said.err
    assert "Traceback" not in said.err


def test_no_room_in_the_cache(mapmerge, remote, write_study, own_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("MAPMERGE_CACHE_LIMIT", "10K")
    said = mapmerge("plan", write_study(tmp_path, remote))
    assert said.code == 2
    assert said.err.startswith(f"mapmerge: {own_cache}: expected room for")


def test_an_object_that_was_replaced_is_not_measured(
    mapmerge, remote, write_study, s3, own_cache, monkeypatch, tmp_path
):
    study, opened = write_study(tmp_path, remote), resident.open_checkpoints
    other = Store(s3).read("family/upright/model.safetensors")

    def replaced(config, files):
        put(f"{s3}/family/reversed/model.safetensors", other)
        return opened(config, files)

    monkeypatch.setattr(resident, "open_checkpoints", replaced)
    said = mapmerge("run", study, "--output", tmp_path / "out", "--run-id", "first")
    assert said.code == 2
    assert f"{s3}/family/reversed/model.safetensors: is not what it was when the run began" in said.err


def test_a_zoo_is_built_on_this_machine(mapmerge):
    said = mapmerge("zoo", "build", "vision", "--out", "s3://bucket/zoo")
    assert said.code == 2
    assert "expected a folder of this machine" in said.err
