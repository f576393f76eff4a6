import contextlib
import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.config import StudyConfig, read_study
from mapmerge.config.reading import override_config
from mapmerge.errors import BadInputError, ConfigError, MissingFileError

STUDY = {
    "name": "two",
    "base": "base",
    "architecture": "torch.nn:Identity",
    "experts": [{"name": "a", "checkpoint": "experts/a"}, {"name": "b", "checkpoint": "experts/b"}],
    "objectives": [{"name": "a", "evaluator": "classification", "search": "s", "held_out": "h"}],
}


def write(folder: Path, study: object) -> Path:
    path = folder / "study.yaml"
    path.write_text(study if isinstance(study, str) else yaml.safe_dump(study, sort_keys=False))
    return path


def problem(folder: Path, study: object, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        read_study(write(folder, study), overrides)
    return str(error.value)


def test_reads_a_study_with_its_defaults(tmp_path: Path) -> None:
    config = read_study(write(tmp_path, STUDY))
    assert config.architecture.build == "torch.nn:Identity"
    assert config.method == "adaptive"
    assert config.evaluations == 6  # p parameters of a quadratic for two experts
    assert read_study(write(tmp_path, STUDY), ["method=map"]).evaluations == 12  # 2p
    assert read_study(write(tmp_path, STUDY), ["method=map"]).design_points == 12


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nowhere\.yaml"):
        read_study(tmp_path / "nowhere.yaml")


def test_unknown_key_says_line_and_what_was_meant(tmp_path: Path) -> None:
    said = problem(tmp_path, yaml.safe_dump(STUDY, sort_keys=False) + "budgett: {evaluations: 30}\n")
    assert "line 14" in said
    assert "did you mean 'budget'?" in said


def test_unknown_nested_key(tmp_path: Path) -> None:
    study = copy.deepcopy(STUDY)
    study["experts"][1]["chekpoint"] = "x"  # type: ignore[call-overload,index]
    said = problem(tmp_path, study)
    assert "experts.1.chekpoint" in said
    assert "did you mean 'checkpoint'?" in said


def test_a_key_twice(tmp_path: Path) -> None:
    said = problem(tmp_path, yaml.safe_dump(STUDY, sort_keys=False) + "name: again\n")
    assert "line 14: key 'name' is there twice, first at line 1" in said


@pytest.mark.parametrize("section", ["experts", "objectives"])
def test_duplicate_names(tmp_path: Path, section: str) -> None:
    study = copy.deepcopy(STUDY)
    study[section] = [study[section][0], dict(study[section][0])]  # type: ignore[index,call-overload]
    assert "'a' is there more than once" in problem(tmp_path, study)


def test_budget_below_p(tmp_path: Path) -> None:
    said = problem(tmp_path, STUDY, "method=map", "budget.evaluations=5")
    assert "p = (k+1)(k+2)/2 = 6" in said
    assert read_study(write(tmp_path, STUDY), ["method=map", "budget.evaluations=6"]).evaluations == 6


def test_the_method_of_the_paper_needs_p_evaluations_too(tmp_path: Path) -> None:
    said = problem(tmp_path, STUDY, "method=bayesian-paper", "budget.evaluations=5")
    assert "`bayesian-paper` fits p = (k+1)(k+2)/2 = 6" in said
    assert read_study(write(tmp_path, STUDY), ["method=bayesian-paper", "budget.evaluations=6"]).evaluations == 6


def test_the_method_of_the_paper_is_not_defined_beyond_six_experts(tmp_path: Path) -> None:
    experts = [{"name": f"e{index}", "checkpoint": f"e{index}"} for index in range(7)]
    said = problem(tmp_path, {**STUDY, "experts": experts}, "method=bayesian-paper")
    assert "at most 6 experts" in said
    assert "there are 7: take `method: adaptive`" in said
    assert read_study(write(tmp_path, {**STUDY, "experts": experts[:6]}), ["method=bayesian-paper"]).evaluations == 56


@pytest.mark.parametrize("method", ["random", "direct", "nsga2"])
def test_a_search_needs_something_to_choose_from(tmp_path: Path, method: str) -> None:
    assert "give at least 2" in problem(tmp_path, STUDY, f"method={method}", "budget.evaluations=1")
    assert read_study(write(tmp_path, STUDY), [f"method={method}", "budget.evaluations=2"]).evaluations == 2


@pytest.mark.parametrize("override", ["design.mass=[1.6, 0.3]", "design.lower=2", "design.points=99"])
def test_bounds_reversed(tmp_path: Path, override: str) -> None:
    assert override.partition("=")[0].split(".")[0] in problem(tmp_path, STUDY, "method=map", override)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("budget.evaluations", "expected KEY=VALUE"),
        ("budget.evaluations=[", "not valid YAML"),
        ("budget.evaluatoins=3", "did you mean 'evaluations'?"),
        ("experts.7.name=x", "there is no 7"),
        ("experts.7=x", "cannot hold"),
        ("experts.x.y.z=1", "there is no 'x'"),
        ("seed=-1", "greater than or equal to 0"),
    ],
)
def test_bad_overrides(tmp_path: Path, override: str, words: str) -> None:
    said = problem(tmp_path, STUDY, override)
    assert words in said


def test_override_of_a_list_entry(tmp_path: Path) -> None:
    assert read_study(write(tmp_path, STUDY), ["experts.1.name=z"]).experts[1].name == "z"


def test_override_of_a_frozen_study(tmp_path: Path) -> None:
    config = read_study(write(tmp_path, STUDY))
    assert override_config(config, ["compute.actors=2"]).compute.actors == 2
    with pytest.raises(ConfigError, match=r"compute\.actor"):
        override_config(config, ["compute.actor=2"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "expected a mapping"),
        ("name: [", "not valid YAML"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("[" * 5000, "YAML"),
        ("name: !!python/object/apply:os.system ['true']\n", "YAML"),
        ("{}", "'base' is required"),
    ],
)
def test_files_that_are_no_study(tmp_path: Path, text: str, words: str) -> None:
    said = problem(tmp_path, text)
    assert words in said or "nested too deeply" in said


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_study(path)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    from mapmerge.config.reading import parse, validate

    try:
        values, lines = parse(text, source="s")
        validate(values, lines, source="s")
    except BadInputError:
        pass


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(StudyConfig.model_fields)), json)
def test_any_value_under_any_key_is_read_or_refused(key: str, value: object) -> None:
    from mapmerge.config.reading import validate

    with contextlib.suppress(BadInputError):
        validate({**STUDY, key: value}, {}, source="s")
