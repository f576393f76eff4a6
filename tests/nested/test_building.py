import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError, ConfigError
from mapmerge.nested.building import balanced, similarity
from mapmerge.nested.cost import costs


def table(k, seed):
    vectors = np.random.default_rng(seed).standard_normal((k, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


def named(k):
    return [f"e{index}" for index in range(k)]


@settings(max_examples=40, deadline=None)
@given(k=st.integers(2, 40), fan_in=st.integers(2, 4), seed=st.integers(0, 99))
def test_any_number_of_experts_makes_a_tree_of_the_fan_in_and_the_least_height(k, fan_in, seed):
    for tree in (balanced(named(k), fan_in=fan_in), similarity(named(k), table(k, seed), fan_in=fan_in)):
        assert tree.root.leaves == tuple(named(k))
        assert all(2 <= len(node.children) <= fan_in for node in tree.nodes)
        assert tree.root.height == math.ceil(round(math.log(k, fan_in), 9))


@pytest.mark.parametrize("k", range(2, 129))
def test_evaluations_of_a_tree_of_pairs_grow_as_k_log_k(k):
    asked = sum(cost.evaluations for cost in costs(balanced(named(k)), {n: n for n in named(k)}).values())
    assert asked <= 12 * k * (math.log2(k) + 0.09)


@settings(max_examples=20, deadline=None)
@given(k=st.integers(2, 12), fan_in=st.integers(2, 4), seed=st.integers(0, 99))
def test_similarity_does_not_depend_on_the_order_of_experts_where_nothing_ties(k, fan_in, seed):
    cosines, experts = table(k, seed), named(k)
    order = np.random.default_rng(seed).permutation(k)
    one = similarity(experts, cosines, fan_in=fan_in)
    other = similarity([experts[i] for i in order], cosines[np.ix_(order, order)], fan_in=fan_in)
    assert {frozenset(node.leaves) for node in one.nodes} == {frozenset(node.leaves) for node in other.nodes}


def test_what_is_most_alike_is_merged_first_whatever_the_sign():
    cosines = np.eye(4)
    for i, j, value in ((0, 3, -0.9), (1, 2, 0.2), (0, 1, 0.5)):
        cosines[i, j] = cosines[j, i] = value
    assert similarity("abcd", cosines).to_json() == [["a", "d"], ["b", "c"]]
    assert similarity("abcde", np.pad(cosines, (0, 1))).to_json() == [[["a", "d"], "b"], ["c", "e"]]
    assert similarity("abcde", np.pad(cosines, (0, 1)), fan_in=3).to_json() == [["a", "d"], ["b", "c"], "e"]


def test_identical_experts_and_ties_go_by_the_order_of_the_study():
    for fan_in in (2, 3, 4):
        for k in (2, 5, 7, 9):
            tie = similarity(named(k), np.ones((k, k)), fan_in=fan_in)
            assert tie == balanced(named(k), fan_in=fan_in)


def test_what_makes_no_tree_is_refused():
    with pytest.raises(ConfigError, match="fan-in from 2 to 4, got 5"):
        balanced(named(8), fan_in=5)
    with pytest.raises(ConfigError, match="there is 1: nothing to merge"):
        balanced(["alone"])
    with pytest.raises(BadInputError, match=r"table of cosines \[3, 3\]"):
        similarity(named(3), np.eye(2))
    with pytest.raises(BadInputError, match="finite"):
        similarity(named(2), np.array([[1.0, np.nan], [np.nan, 1.0]]))
