"""Runs of strangers: complete, sealed, and JSON throughout, but not what a run writes."""

import copy
import json
import shutil

import pytest

from benchmarks.hostile_run import run_files
from mapmerge.earlier import from_json
from mapmerge.errors import BadInputError, IntegrityError
from mapmerge.finished import FinishedRun
from mapmerge.frozen import frozen_study
from mapmerge.report.page import render


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    output = tmp_path_factory.mktemp("sound")
    run_files(output)
    return output / "runs" / "first"


@pytest.fixture
def opened(sound, tmp_path):
    """Open a copy of a sound run in which one place of one file was changed."""
    place = tmp_path / "runs" / "first"
    shutil.copytree(sound, place)

    def spoil(name, path, value):
        tree = json.loads((place / name).read_text())
        holder = tree
        *parents, last = path
        for part in parents:
            holder = holder[part]
        if value is KeyError:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(value)
        (place / name).write_text(json.dumps(tree))
        return FinishedRun.open(str(place))

    return spoil


def test_a_sound_run_is_read_to_the_end(sound):
    run = FinishedRun.open(str(sound))
    frozen_study(run.folder)
    assert len(list(run.rows())) == 4
    assert "Better than the uniform merge" in render(run.result)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["schema"], "mapmerge/result/2", "schema: "),
        (["front"], [], "front: "),
        (["front"], {}, "front: "),
        (["front", 0, "id"], KeyError, "front.0.id: Field required"),
        (["front", 0, "coefficients"], {"x": 0.5}, "coefficients or scores"),
        (["front", 0, "measured", "a"], "0.5", "front.0.measured.a: "),
        (["front", 0, "measured", "a"], None, "front.0.measured.a: "),
        (["front", 0, "measured", "e"], 0.5, "coefficients or scores"),
        (["front", 1, "low", "a"], 1e300, "front.1.low.a: "),
        (["dominated"], KeyError, "dominated: "),
        (["baselines", "experts"], [], "baselines.experts: "),
        (["experts"], ["x", "x"], "experts and objectives"),
        (["experts"], [], "experts: "),
        (["objectives"], [], "objectives: "),
        (["objectives", 0, "direction"], "up", "objectives.0.direction: "),
        (["objectives", 0, "name"], "z", "coefficients or scores|hypervolume"),
        (["hypervolume", "ideal_point", "a"], 0.1, "hypervolume"),
        (["hypervolume", "ideal_point", "a"], 0.0, "hypervolume: expected an ideal point above"),
        (["hypervolume", "reference_point"], {}, "hypervolume|reference point"),
        (["seed"], "0", "seed: "),
        (["seed"], -1, "seed: "),
        (["evaluations"], True, "evaluations: "),
        (["warnings"], "none", "warnings: "),
        (["provenance", "item_sets", "a", "held_out"], KeyError, "item sets"),
        (["calibration", "inside"], {}, "calibration.inside: "),
        (["surrogates", "a"], KeyError, "surrogates"),
    ],
)
def test_a_result_of_another_form(opened, path, value, words):
    with pytest.raises(IntegrityError, match=rf"runs/first/result\.json: .*({words})"):
        opened("result.json", path, value)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["objectives"], {}, "a list of objectives"),
        (["objectives", 0], 3, "objective: expected name"),
        (["objectives", 0, "name"], "z", "other experts or objectives"),
        (["surrogates"], [], "a surrogate for each of 4"),
        (["surrogates", 0], [], "a surrogate of kind"),
        (["surrogates", 0, "kind"], [], "a surrogate of kind"),
        (["surrogates", 0, "kind"], "margins", "of schema 'mapmerge/margins/1'"),
        (["surrogates", 0, "centre"], [0.5], "expected shape"),
        (["surrogates", 0, "centre"], [0.5, None], "centre: expected finite numbers"),
        (["surrogates", 0, "centre"], [0.5, [0.5]], "centre: expected numbers, in lists of one length"),
        (["surrogates", 0, "scale"], [0.5, 0], "scale: expected numbers above 0"),
        (["surrogates", 0, "parameters"], [0.5], "parameters: expected shape"),
        (["surrogates", 0, "covariance"], [[0.5]], "covariance: expected shape"),
        (["surrogates", 0, "link", "kind"], "probit", "expected kind as one of logistic"),
        (["surrogates", 0, "link"], "logistic", "link: expected kind, lower, span"),
        (["surrogates", 0, "misfit"], -1, "misfit: -1 is too small"),
        (["surrogates", 0, "misfit"], None, "misfit: expected finite"),
        (["surrogates", 1, "hyperparameters"], {}, "hyperparameters: expected signal, length"),
        (["surrogates", 1, "points"], [[0.5, 0.5]], "points: expected shape"),
        (["surrogates", 2, "degree"], 10**9, "no polynomial of degree 1000000000"),
        (["surrogates", 2, "degree"], 1, "no polynomial of degree 1"),
        (["surrogates", 3, "weights"], [], "weights: expected shape"),
        (["region"], [], "region: expected lower, upper and mass"),
        (["region", "lower"], "x", "region: expected lower"),
        (["region", "mass"], [1.0], "mass as"),
        (["region", "mass"], [3.0, 1.0], "mass as"),
        (["region", "lower"], [0.0], "one shape"),
        (["covered"], [1.0], "a surrogate for each"),
        (["covered"], [0.0] * 4, "above 0"),
        (["measured"], [[0.5]], "2 coefficients, came 1"),
        (["measured"], {"a": 1}, "measured: expected numbers"),
    ],
)
def test_surfaces_of_another_form(opened, path, value, words):
    with pytest.raises(IntegrityError, match=rf"runs/first/surfaces\.json: .*{words}"):
        opened("surfaces.json", path, value)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["schema"], KeyError, "schema: "),
        (["config"], [], "config: "),
        (["config", "name"], "../../x", "config.name: "),
        (["config", "experts", 0, "name"], "other", "experts: expected those of the study"),
        (["config", "more"], 1, "config.more: "),
        (["root"], None, "root: "),
        (["inputs"], KeyError, "inputs: "),
        (["inputs", "experts", "x"], 1, "inputs.experts.x: "),
        (["inputs", "evaluators", "a", "held_out"], KeyError, "the splits"),
        (["inputs", "evaluators", "a", "search", "items"], 0, "items: "),
        (["objectives", 0, "name"], {"a": 1}, r"objectives.0.name: "),
        (["deterministic", "a"], KeyError, "deterministic: expected those of the study"),
    ],
)
def test_a_frozen_study_of_another_form(opened, path, value, words):
    run = opened("study.json", path, value)
    with pytest.raises(IntegrityError, match=rf"runs/first/study\.json: .*{words}"):
        frozen_study(run.folder)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"coefficients": [[0.1]], "wanted": []},
        {"coefficients": [[0.1]], "wanted": [3]},
        {"coefficients": [["x"]], "wanted": [{}]},
        {"coefficients": [[0.1]], "wanted": [{"a": {"items": [1], "strata": [5], "shares": [1.0]}}]},
        {"coefficients": [[0.1]], "wanted": [{"a": {"items": [], "strata": [], "shares": []}}]},
        {"coefficients": [[0.1]], "wanted": [{"a": {"items": [2, 1], "strata": [0, 0], "shares": [1.0]}}]},
        {"coefficients": [[0.1]], "wanted": [{"a": {"items": [1], "strata": [0], "shares": [0.5, 0.5]}}]},
    ],
)
def test_measurements_of_another_form(written):
    with pytest.raises(BadInputError, match="what an earlier run measured"):
        from_json(written)
