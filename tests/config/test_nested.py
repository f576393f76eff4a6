"""What a study says of nested merging, and what is refused."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.config import StudyConfig, read_study
from mapmerge.config.nodes import node_study, owners_of, preferences_of, tree_of
from mapmerge.config.reading import override_config
from mapmerge.errors import ConfigError
from mapmerge.nested.tree import Tree

NAMES = ["a", "b", "c", "d", "e"]
STUDY = {
    "name": "five",
    "base": "base",
    "architecture": "torch.nn:Identity",
    "experts": [{"name": name, "checkpoint": name} for name in NAMES],
    "objectives": [{"name": name, "evaluator": "none", "search": "s", "held_out": "h"} for name in [*NAMES, "speed"]],
    "method": "nested",
}
ALIKE = np.eye(5) + 0.5 * (np.eye(5)[:, ::-1])


def read(folder: Path, *overrides: str, **sections: object) -> StudyConfig:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**STUDY, **sections}, sort_keys=False))
    return read_study(path, overrides)


def tree(config: StudyConfig) -> Tree:
    found = tree_of(config, ALIKE)
    assert found is not None
    return found


def test_the_defaults(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config.evaluations == 0
    assert tree(config).to_json() == [["a", "b"], "c", "d", "e"]
    (even,) = preferences_of(config)
    assert even == pytest.approx(dict.fromkeys([*NAMES, "speed"], 1 / 6))
    assert owners_of(config) == {name: name for name in NAMES} | {"speed": None}
    assert read(tmp_path, "nested.refine=7").evaluations == 7


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["nested.tree=similarity"], [["a", "e"], "b", "c", "d"]),
        (["nested.tree=similarity", "nested.fan_in=2"], [[["a", "e"], "c"], ["b", "d"]]),
        (["nested.tree=balanced", "nested.fan_in=2"], [[["a", "b"], "c"], ["d", "e"]]),
        (["nested.tree=[[e, d], [c, [b, a]]]"], [[["a", "b"], "c"], ["d", "e"]]),
    ],
)
def test_trees(tmp_path: Path, overrides: list[str], expected: list[object]) -> None:
    assert tree(read(tmp_path, *overrides)).to_json() == expected


def test_the_tree_of_the_paper_is_not_known_beforehand(tmp_path: Path) -> None:
    assert tree_of(read(tmp_path, "nested.tree=paper"), ALIKE) is None


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 60), m=st.integers(1, 6))
def test_spread_preferences_are_shares(count: int, m: int) -> None:
    values = {**STUDY, "objectives": copy.deepcopy(STUDY["objectives"])[:m], "budget": {"front": 60}}  # type: ignore[index]
    found = preferences_of(StudyConfig.model_validate({**values, "nested": {"preferences": count}}))
    assert len(found) == count
    for preference in found:
        assert list(preference) == [*NAMES, "speed"][:m]
        assert min(preference.values()) >= 0
        assert sum(preference.values()) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*NAMES, "speed"]), st.floats(0, 1e300, allow_subnormal=False), min_size=1).filter(
        lambda wanted: any(wanted.values())
    )
)
def test_written_preferences_are_shares(wanted: dict[str, float]) -> None:
    (found,) = preferences_of(StudyConfig.model_validate({**STUDY, "nested": {"preferences": [wanted]}}))
    assert list(found) == [*NAMES, "speed"]
    assert min(found.values()) >= 0
    assert sum(found.values()) == pytest.approx(1)
    most = max(wanted, key=lambda name: wanted[name])
    for name in found:
        assert found[name] == pytest.approx(found[most] * (wanted.get(name, 0.0) / wanted[most]), abs=1e-12)


PROBLEMS = {
    "nested.tree=[[a, b], [c, [d, [e, a]]]]": "nested.tree: every expert must be in it exactly once, but expert 'a' is",
    "nested.tree=[[a, b], [c, d]]": "expert 'e' is left out",
    "nested.tree=[[a, b], [c, [d, ee]]]": "no expert is called 'ee'; did you mean 'e'?",
    "nested.tree=[[a, b], [c, [d, [e]]]]": "nested.tree[1][1][1]: a node has from 2 to 4 children, got 1: ['e']",
    "nested.tree=[a, b, c, d, e]": "nested.tree: a node has from 2 to 4 children, got 5",
    "nested.tree=[]": "got an empty list",
    "nested.tree=[[a, 1], b]": "nested.tree[0][1]: expected the name of an expert or a list of them, got 1",
    "nested.tree=similarty": "there is no tree 'similarty'; did you mean 'similarity'?",
    "nested.tree=3": "or a tree written out as lists, got 3",
    "nested.fan_in=1": "nested.fan_in: Input should be greater than or equal to 2, got 1",
    "nested.fan_in=5": "nested.fan_in: Input should be less than or equal to 4, got 5",
    "nested={tree: paper, fan_in: 3}": "fan_in is for `similarity` and `balanced`; paper has its own",
    "nested={tree: [[a, b], [c, [d, e]]], fan_in: 3}": "a tree that is written out has its own",
    "nested={tree: paper, preferences: 2}": "can be one preference only, got 2",
    "nested={tree: paper, preferences: [{a: 1}, {b: 1}]}": "can be one preference only, got 2",
    "nested.preferences=0": "expected a number from 1 on, or a list of weights",
    "nested.preferences=true": "expected a number from 1 on, or a list of weights",
    "nested.preferences=51": "there are 51, each of which may be delivered a merge of its own, but budget.front is 50",
    "nested.preferences=[]": "or a list of weights such as [{a: 2, b: 1}], got []",
    "nested.preferences=[{a: much}]": "or a list of weights such as [{a: 2, b: 1}], got [{'a': 'much'}]",
    "nested.preferences=[{a: 1}, {sped: 1}]": "preferences[1]: no objective is called 'sped'; did you mean 'speed'?",
    "nested.preferences=[{a: 1, b: -1}]": "nested.preferences[0]: expected weights of zero or more, got b=-1.0",
    "nested.preferences=[{a: 0}]": "nested.preferences[0]: expected at least one weight above zero",
    "nested.preferences=[{}]": "nested.preferences[0]: expected at least one weight above zero",
    "nested.preferences=[{a: 1.0e+308, b: 1.0e+308}]": "have a finite sum",
    "nested={method: map, fan_in: 2, evaluations: 5}": "is 5, but `map` fits p = (f+1)(f+2)/2 = 6 parameters",
    "nested={method: map, fan_in: 4, evaluations: 14}": "give at least 15, better 30",
    "nested={method: map, tree: [[a, b, c], [d, e]], evaluations: 9}": "give at least 10, better 20",
    "nested.refine=-1": "greater than or equal to 0",
    "nested.method=random": "'map' or 'adaptive'",
    "nested.fan-in=3": "did you mean 'fan_in'?",
    "budget.evaluations=60": "budget.evaluations: `nested` has a budget for each node, nested.evaluations",
    "objectives.5.expert=f": "objective 'speed': no expert is called 'f'",
    "experts=[{name: a, checkpoint: a}]": "`nested` merges at least 2 experts, there is 1: nothing to merge",
}


@pytest.mark.parametrize("override", PROBLEMS)
def test_what_cannot_be(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, override)
    assert str(error.value).count("\n") == 1, "one problem"
    assert PROBLEMS[override] in str(error.value)


def test_a_weight_that_is_no_number(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"nested\.preferences=\[\{a: \.nan\}\], line 1: 0\.a: expected text, a finite"
    ):
        read(tmp_path, "nested.preferences=[{a: .nan}]")


def test_the_tree_of_the_paper_needs_an_objective_for_each_expert(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expert 'e' has no objective: give it one"):
        read(tmp_path, "nested.tree=paper", "objectives.4.expert=d")
    assert read(tmp_path, "nested.tree=paper", "objectives.4.expert=d", "objectives.5.expert=e").evaluations == 0


def test_few_evaluations_are_enough_on_samples_or_for_another_method(tmp_path: Path) -> None:
    assert read(tmp_path, "nested.method=map", "nested.evaluations=3", "sampling.items=20").nested.evaluations == 3
    assert read(tmp_path, "nested.evaluations=3", "nested.method=adaptive").nested.evaluations == 3


def test_the_section_is_unused_by_other_methods(tmp_path: Path) -> None:
    config = read(tmp_path, "method=map", "nested.tree=[a, b]", "nested.preferences=[{q: 0}]", "budget.evaluations=50")
    assert config.evaluations == 50


def test_whether_an_owner_was_given_outlives_a_record_of_the_study(tmp_path: Path) -> None:
    config = read(tmp_path, "objectives.0.expert=null", "objectives.5.expert=a")
    expected = {"a": None, "b": "b", "c": "c", "d": "d", "e": "e", "speed": "a"}
    assert owners_of(config) == expected
    again = StudyConfig.model_validate(config.model_dump(mode="json"))
    assert again == config
    assert owners_of(again) == owners_of(StudyConfig.model_validate_json(config.model_dump_json())) == expected
    assert owners_of(override_config(config, ["compute.actors=2"])) == expected
    assert ["expert" in entry for entry in config.model_dump()["objectives"]] == [True, *[False] * 4, True]


@pytest.mark.parametrize(("method", "given", "expected"), [("map", None, 12), ("adaptive", None, 6), ("map", 7, 7)])
def test_a_node_has_its_own_experts_and_budget(tmp_path: Path, method, given, expected) -> None:
    config = read(tmp_path, "objectives.5.expert=a", "nested.tree=[[a, b], [c, [d, e]]]")
    for node in tree(config).nodes:
        study = node_study(config, node, ["a", "speed"], method=method, evaluations=given)
        assert study.evaluations == expected
        assert owners_of(study) == {"a": None, "speed": None}
        assert StudyConfig.model_validate(study.model_dump(mode="json")) == study
