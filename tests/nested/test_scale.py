import numpy as np
import pytest

from mapmerge.errors import ConfigError
from mapmerge.nested.scale import leaf_scale, unit_score
from mapmerge.records import Metric, Objective


def test_metrics_of_any_direction_and_unit_are_between_base_and_expert():
    base, own = np.array([0.2, -900.0]), np.array([0.6, -100.0])
    unit = leaf_scale(base, own)
    found = unit.apply(np.vstack([base, own, (base + own) / 2]))
    np.testing.assert_allclose(found, [[0, 0], [1, 1], [0.5, 0.5]], atol=1e-12)


def test_an_expert_that_is_worse_than_the_base_or_the_same_leaves_a_scale():
    worse, same, noisy = (
        leaf_scale(np.array([0.8, 0.5, 0.50]), np.array([0.6, 0.5, 0.51]), noise=np.array([0.0, 0.0, 0.05]))
        .apply(np.array([[0.6, 0.5, 0.6], [0.8, 0.6, 0.5]]))
        .T
    )
    assert worse.tolist() == pytest.approx([0.0, 1.0])
    assert np.ptp(same) == pytest.approx(0.1)  # the unit is that of the metric
    assert np.ptp(noisy) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("metric", "worst", "best"),
    [
        (Metric("accuracy", 0.0, 1.0, True), 0.0, 1.0),
        (Metric("percent", 0.0, 100.0, True), 0.0, 100.0),
        (Metric("error", 0.0, 1.0, False), 1.0, 0.0),
        (Metric("loss", 0.0, None, False), 1e9, 0.0),
        (Metric("reward", -1.0, None, True), -1.0, 1e9),
    ],
)
def test_unit_scores_go_from_worst_to_best(metric, worst, best):
    objective = Objective("a", metric)
    assert unit_score(worst, objective) == 0.0
    assert unit_score(best, objective) == 1.0


def test_without_a_lower_bound_there_is_no_unit_score():
    with pytest.raises(ConfigError, match="'a': the tree `paper` compares metrics"):
        unit_score(1.0, Objective("a", Metric("score", None, None, True)))
