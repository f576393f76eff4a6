import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import ConfigError, PreferenceError
from mapmerge.nested.groups import group_weights, looks_at, owners
from mapmerge.nested.written import read_tree

EXPERTS = ["a", "b", "c", "d"]
TREE = read_tree([["a", "b"], ["c", "d"]], EXPERTS)


def seen(belongs):
    return {node.name: looks_at(node, belongs, EXPERTS) for node in TREE.nodes}


def test_objectives_go_with_their_experts_and_what_is_nobodys_is_looked_at_by_the_root():
    belongs = owners(["speed", "a", "b2", "c"], EXPERTS, {"b2": "b"})
    assert belongs == {"speed": None, "a": "a", "b2": "b", "c": "c"}
    assert seen(belongs) == {"a--b": ("a", "b2"), "c--d": ("c",), "a--b--c--d": ("speed", "a", "b2", "c")}


def test_an_expert_may_have_several_objectives_or_none():
    belongs = owners(["a", "again", "b"], EXPERTS, {"again": "a", "b": None})
    assert seen(belongs)["a--b"] == ("a", "again")
    assert seen(belongs)["c--d"] == ("a", "again", "b")  # nothing of its own to go by


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"aa": "a"}, "no objective is called 'aa'; did you mean 'a'"),
        ({"a": "bb"}, "objective 'a': no expert is called 'bb'; did you mean 'b'"),
    ],
)
def test_names_that_there_are_not_are_refused(written, problem):
    with pytest.raises(ConfigError, match=problem):
        owners(["a"], EXPERTS, written)


@settings(max_examples=30, deadline=None)
@given(weights=st.lists(st.floats(0.01, 10.0), min_size=4, max_size=4), scores=st.lists(st.floats(0, 1), min_size=4))
def test_groups_count_by_the_sum_of_their_leaves_and_mean_what_their_leaves_mean(weights, scores):
    preference = dict(zip(EXPERTS, weights, strict=True))
    score = dict(zip(EXPERTS, scores, strict=False))
    groups = [node.leaves for node in TREE.levels[0]]
    means = [group_weights(group, preference) @ [score[name] for name in group] for group in groups]
    sums = np.array([sum(preference[name] for name in group) for group in groups])
    whole = group_weights(EXPERTS, preference) @ [score[name] for name in EXPERTS]
    assert sums @ means / sums.sum() == pytest.approx(whole)


def test_a_preference_of_zero_counts_nothing_and_a_group_of_zeros_counts_evenly():
    assert group_weights(["a", "b"], {"a": 2.0, "b": 0.0}).tolist() == [1.0, 0.0]
    assert group_weights(["c", "d"], {"a": 2.0}).tolist() == [0.5, 0.5]
    for weight in (-1.0, float("nan"), float("inf")):
        with pytest.raises(PreferenceError, match="weights of zero or more"):
            group_weights(["a"], {"b": weight})
    with pytest.raises(PreferenceError, match="at least one weight above zero"):
        group_weights(["a"], {"a": 0.0, "b": 0.0})
