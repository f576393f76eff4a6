"""What an earlier run measured, in the words of another study."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapmerge.earlier import from_json, holds_for, measured, to_json
from mapmerge.errors import ConfigError
from mapmerge.history import Round
from mapmerge.records import Evaluation, Question, Sample


def frozen(experts, objectives, base="b", build="f"):
    """What a run freezes, as far as it matters: experts and objectives are their own fingerprints."""
    return {
        "config": {"architecture": {"build": build}, "experts": [{"name": f"called-{name}"} for name in experts]},
        "inputs": {
            "base": base,
            "experts": {f"called-{name}": name for name in experts},
            "evaluators": {name: {"search": {"identity": its}, "held_out": {}} for name, its in objectives.items()},
        },
    }


def question(rows, wanted):
    return Question("known", "search", np.array(rows, dtype=np.float64), tuple(wanted))


@given(order=st.permutations(["x", "y", "z"]), row=st.lists(st.sampled_from([0.0, 0.3, -0.5]), min_size=2, max_size=2))
def test_coefficients_go_to_their_experts(order, row):
    found = holds_for(question([row], [{"o": None}]), frozen(["y", "x"], {"o": 1}), frozen(order, {"o": 1}))
    assert dict(zip(order, found.coefficients[0], strict=True)) == {"y": row[0], "x": row[1], "z": 0.0}


def test_merges_of_an_expert_that_is_gone_do_not_hold():
    asked = question([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]], [{"o": None}] * 3)
    found = holds_for(asked, frozen(["x", "y"], {"o": 1}), frozen(["x"], {"o": 1}))
    assert found.coefficients.tolist() == [[1.0], [0.0]]


def test_an_objective_is_known_by_what_it_measures_not_by_its_name():
    asked = question([[1.0]], [{"old": None, "gone": None, "changed": None}])
    before = frozen(["x"], {"old": 1, "gone": 2, "changed": 3})
    found = holds_for(asked, before, frozen(["x"], {"new": 1, "changed": 4}))
    assert found.wanted == ({"new": None},)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        (frozen(["x"], {"o": 1}, base="c"), "another base"),
        (frozen(["x"], {"o": 1}, build="g"), "another architecture"),
        (frozen(["x"], {"o": 2}), "no objective has the evaluator"),
        (frozen(["z"], {"o": 1}), "experts that are not here"),
    ],
)
def test_where_nothing_holds_it_says_why(study, said):
    with pytest.raises(ConfigError, match=said):
        holds_for(question([[1.0]], [{"o": None}]), frozen(["x"], {"o": 1}), study)


def test_what_failed_or_was_repeated_or_held_out_is_not_passed_on():
    row, sample = np.array([0.5]), Sample(np.array([1, 4]), np.array([0, 1]), np.array([0.25, 0.75]))
    right = np.ones(2, dtype=np.float32)
    done = [
        Round(
            Question("design", "search", row[None]),
            (
                Evaluation("1", row, "o", "search", right, sample=sample),
                Evaluation("2", row, "p", "search", None, error="broken"),
            ),
        ),
        Round(Question("repeat-1", "search", row[None], repeat=1), (Evaluation("3", row, "p", "search", right),)),
        Round(Question("front", "held_out", row[None]), (Evaluation("4", row, "p", "held_out", right),)),
    ]
    found = from_json(to_json(measured(done)))
    assert found.coefficients.tolist() == [[0.5]]
    assert found.wanted is not None
    (only,) = found.wanted
    assert list(only) == ["o"]
    for name in ("items", "strata", "shares"):
        np.testing.assert_array_equal(getattr(only["o"], name), getattr(sample, name))
