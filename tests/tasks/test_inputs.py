"""Everything a study names is opened and checked before anything is measured."""

import json
from importlib.metadata import version

import pytest
import torch
from safetensors.torch import load_file, save_file

from mapmerge.config import read_study
from mapmerge.errors import BadInputError, CheckpointError, ConfigError, ItemSetError
from mapmerge.records import Metric
from tasks import inputs
from tasks.inputs import freeze, open_inputs
from tasks.prepare import prepare, reopen
from tasks.progress import listening

PEAK = {"peak": [0.5, 0.5]}


def opened(study, *overrides):
    return open_inputs(read_study(study, overrides), study.parent)


def test_a_good_study_opens_with_what_its_evaluators_report(digits_family):
    inputs = opened(digits_family / "study.yaml")
    assert [objective.name for objective in inputs.objectives] == ["upright", "reversed"]
    assert [objective.metric.name for objective in inputs.objectives] == ["accuracy", "cross_entropy"]
    assert len(inputs.fingerprints) == 3
    assert list(inputs.evaluators) == [
        (name, split) for name in ("upright", "reversed") for split in ("search", "held_out")
    ]
    assert inputs.preflight.cosines.shape == (2, 2)
    assert inputs.warnings == ()


def test_warnings_say_whose_they_are(own_family):
    path = own_family / "upright-search.safetensors"
    items = load_file(path)
    items["inputs"][1] = items["inputs"][0]
    save_file(items, path)
    (warning,) = opened(own_family / "study.yaml").warnings
    assert warning.startswith("objective 'upright', search: ")
    assert "1 of 200 items repeat" in warning


def test_what_is_frozen_is_json_that_depends_on_contents_only(own_family, digits_family):
    frozen = []
    for folder in (own_family, digits_family):
        config = read_study(folder / "study.yaml")
        frozen.append(json.loads(json.dumps(freeze(config, folder, open_inputs(config, folder)))))
    own, original = frozen
    assert own["inputs"] == original["inputs"]
    assert own.pop("root") != original.pop("root")
    assert own == original


def test_a_changed_value_changes_the_fingerprint(own_family):
    study = own_family / "study.yaml"
    before = opened(study).fingerprints
    path = own_family / "upright" / "model.safetensors"
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name].view(-1)[0] += 1e-3
    save_file(tensors, path)
    after = opened(study).fingerprints
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_all_problems_of_the_checkpoints_are_told_at_once(own_family):
    path = own_family / "upright" / "model.safetensors"
    tensors = load_file(path)
    tensors["0.bias"][0] = torch.nan
    save_file(tensors, path)
    path = own_family / "reversed" / "model.safetensors"
    tensors = load_file(path)
    tensors["extra"] = tensors.pop("0.weight")
    save_file(tensors, path)
    with pytest.raises(CheckpointError) as error:
        opened(own_family / "study.yaml")
    assert "'upright'" in str(error.value)
    assert "'0.bias'" in str(error.value) or "0.bias (1)" in str(error.value)
    assert "'reversed'" in str(error.value)
    assert "0.weight" in str(error.value)


@pytest.mark.parametrize(
    ("override", "kind", "words"),
    [
        ("architecture=no_such_package:build", ConfigError, "cannot be imported"),
        ("architecture=mapmerge.zoo.vision:encode", ConfigError, "has no function 'encode'"),
        ("architecture.options.width=16", CheckpointError, "0.weight"),
        ("objectives.0.evaluator=clasification", ConfigError, "did you mean 'classification'"),
        ("objectives.0.options.metrics=accuracy", ConfigError, "did you mean 'metric'"),
        ("objectives.1.held_out=reversed-search.safetensors", ItemSetError, "'reversed': 200 of 200 held-out items"),
        ("preflight.max_relative_norm=1e-6", CheckpointError, "really fine-tuned from this base"),
        ("base=upright", CheckpointError, "equals the base"),
        ("experts.0.checkpoint=reversed", CheckpointError, "have the same values"),
        ("base=nowhere", BadInputError, "nowhere: there is no such checkpoint"),
    ],
)
def test_what_does_not_fit_is_named(digits_family, override, kind, words):
    with pytest.raises(kind) as error:
        opened(digits_family / "study.yaml", override)
    assert words in str(error.value)


def test_an_evaluator_that_never_says_the_same_twice_is_told_and_does_not_stop_a_run_from_going_on(
    probe_family, tmp_path
):
    study = probe_family(objectives={"calm": PEAK, "dice": {**PEAK, "trouble": "random"}})
    inputs = opened(study)
    assert inputs.deterministic == {"calm": True, "dice": False}
    (warning,) = inputs.warnings
    assert warning.startswith("objective 'dice': asked the same again, the evaluator gave other outcomes")
    run = prepare.fn(str(study), str(tmp_path), "one", [])
    assert run.frozen["deterministic"] == {"calm": True, "dice": False}
    # Whether it shows on a few items is chance, so a run goes on with what was found when it began.
    assert reopen.fn(run.uri, []).frozen == run.frozen
    assert "deterministic" not in json.dumps(run.frozen["inputs"])


def test_a_run_that_another_version_began_goes_on_and_says_so(probe_family, tmp_path):
    run = prepare.fn(str(probe_family(objectives={"z": PEAK})), str(tmp_path), "one", [])
    assert reopen.fn(run.uri, []).frozen["warnings"] == []
    written = tmp_path / "runs" / "one" / "study.json"
    written.write_text(json.dumps({**json.loads(written.read_text()), "mapmerge": "0.0.7"}))
    (warning,) = reopen.fn(run.uri, []).frozen["warnings"]
    assert warning.startswith(f"begun by mapmerge 0.0.7, and ended by {version('mapmerge')}")


def test_an_evaluator_of_somebody_else_without_items_is_refused(probe_family):
    with pytest.raises(ConfigError, match=r"objective 'z': .*search\.json has no items"):
        opened(probe_family(objectives={"z": PEAK}, items=0))


def test_an_evaluator_that_does_not_fit_the_model_is_found_before_anything_is_paid(own_family):
    path = own_family / "upright-held_out.safetensors"
    items = load_file(path)
    save_file({"inputs": items["inputs"].flatten(1)[:, :5].contiguous(), "labels": items["labels"]}, path)
    with pytest.raises(ConfigError, match="'upright', held_out: the evaluator cannot measure the base model"):
        opened(own_family / "study.yaml")


def frozen(study, *overrides):
    config = read_study(study, overrides)
    return json.loads(json.dumps(freeze(config, study.parent, open_inputs(config, study.parent))))


@pytest.mark.parametrize(
    ("tree", "expected"),
    [("balanced", ["e0", "e1", "e2"]), ("[e0, [e2, e1]]", ["e0", ["e1", "e2"]]), ("paper", None)],
)
def test_the_tree_of_a_nested_search_is_frozen(probe_family, tree, expected):
    study = probe_family(k=3, objectives={name: {"peak": [0.5, 0.5, 0.5]} for name in ("e0", "e1", "e2")})
    assert frozen(study, "method=nested", f"nested.tree={tree}")["tree"] == expected
    assert "tree" not in frozen(study, f"nested.tree={tree}")


def test_a_metric_that_the_tree_of_the_paper_cannot_compare_is_refused(probe_family, monkeypatch):
    study = probe_family(objectives={"e0": PEAK, "e1": PEAK})
    monkeypatch.setattr("mapmerge_probe.Probe.metric", Metric("reward", None, None, True))
    with pytest.raises(
        ConfigError, match="objective 'e0': the tree `paper` compares metrics on one scale, and 'reward'"
    ):
        opened(study, "method=nested", "nested.tree=paper")
    assert opened(study, "method=nested").objectives[0].metric.name == "reward"


def test_reading_large_checkpoints_says_how_far_it_is(own_family, monkeypatch, tmp_path):
    monkeypatch.setenv("MAPMERGE_CACHE", str(tmp_path / "cache"))
    heard = []
    with listening(heard.append):
        opened(own_family / "study.yaml")
        assert not heard
        monkeypatch.setattr(inputs, "_LARGE", 1)
        monkeypatch.setenv("MAPMERGE_CACHE", str(tmp_path / "another"))
        opened(own_family / "study.yaml")
    assert {progress.stage for progress in heard} == {"read checkpoints, MB"}
