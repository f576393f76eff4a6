import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import BadInputError
from mapmerge.nested.building import balanced
from mapmerge.nested.compose import axes, lift, lift_question, lower_answers
from mapmerge.nested.tree import join
from mapmerge.records import Evaluation, Question, Sample


@settings(max_examples=30, deadline=None)
@given(k=st.integers(2, 20), fan_in=st.integers(2, 4), seed=st.integers(0, 2**16))
def test_a_merge_of_merges_is_one_merge_from_the_originals(k, fan_in, seed):
    rng = np.random.default_rng(seed)
    experts = [f"e{index}" for index in range(k)]
    tree = balanced(experts, fan_in=fan_in)
    base, vectors = rng.standard_normal(50), rng.standard_normal((k, 50))
    models = {name: base + vector for name, vector in zip(experts, vectors, strict=True)}  # with every merge on the way
    chosen = {}
    for node in tree.nodes:
        own = rng.uniform(-0.5, 1.5, len(node.children))
        children = [models[child if isinstance(child, str) else child.name] for child in node.children]
        models[node.name] = base + sum(weight * (child - base) for weight, child in zip(own, children, strict=True))
        chosen[node.name] = lift(own[None], axes(node, chosen, experts))[0]
        np.testing.assert_allclose(base + chosen[node.name] @ vectors, models[node.name], rtol=1e-12, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(1, 9), f=st.integers(2, 4))
def test_bits_do_not_depend_on_what_is_lifted_beside(seed, n, f):
    rng = np.random.default_rng(seed)
    rows, own = rng.standard_normal((n, f)), rng.standard_normal((f, 30))
    together = lift(rows, own)
    for row, lifted in zip(rows, together, strict=True):
        assert lift(row[None], own)[0].tobytes() == lifted.tobytes()


def test_leaves_are_lifted_to_themselves_bit_for_bit():
    node = join(["a", "c"], "abc")
    rows = np.array([[0.1, 0.7], [1 / 3, 0.0]])
    assert lift(rows, axes(node, {}, "abc")).tobytes() == np.insert(rows, 1, 0.0, axis=1).tobytes()
    assert not np.signbit(axes(join([join(["a", "b"], "abc"), "c"], "abc"), {"a--b": -np.zeros(3)}, "abc")).any()


def test_a_node_cannot_be_run_before_its_children():
    with pytest.raises(BadInputError, match="'a--b--c' cannot be run before coefficients of 'a--b'"):
        axes(join([join(["a", "b"], "abc"), "c"], "abc"), {}, "abc")
    with pytest.raises(BadInputError, match=r"shape \[n, 2\], got \[1, 3\]"):
        lift(np.ones((1, 3)), np.ones((2, 5)))


def test_answers_come_back_in_the_coefficients_of_the_node_also_where_two_merges_are_one():
    own = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # the first child was chosen to be the base
    sample = Sample(np.array([1]), np.array([0]), np.array([1.0]))
    asked = ({"z": None}, {"z": None}, {"z": sample, "y": None})
    question = Question("design", "search", np.array([[0.5, 1.0], [0.2, 1.0], [0.0, 0.3]]), asked, region={})
    lifted = lift_question(question, own)
    assert lifted.coefficients.tolist() == [[0, 0, 1.0], [0, 0, 1.0], [0, 0, 0.3]]
    assert lifted.region is None  # it speaks of the node's coefficients
    rows = lifted.requests(["z", "y"])
    once = {(row.tobytes(), name): (row, name, drawn) for row, name, drawn in rows}
    answers = [
        Evaluation(f"{row}{name}", row, name, "search", np.ones(1, np.float32), sample=drawn)
        for row, name, drawn in reversed(once.values())
    ]
    assert len(answers) == 3
    told = lower_answers(question, own, answers, ["z", "y"])
    assert [(each.coefficients.tolist(), each.objective) for each in told] == [
        ([0.5, 1.0], "z"),
        ([0.2, 1.0], "z"),
        ([0.0, 0.3], "z"),
        ([0.0, 0.3], "y"),
    ]
    assert told[0].key == told[1].key
