import numpy as np
import pytest

from mapmerge.errors import ConfigError, PreferenceError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.landscape import Landscape
from mapmerge.nested.choice import choose
from mapmerge.randomness import generator

UNIT = Normalisation(np.zeros(2), np.ones(2))


def hills(peaks):
    """Gains 1 - |a - peak|^2, one objective a peak, over the unit square."""
    return Landscape(
        predict=lambda c: 1.0 - ((c[:, None] - peaks) ** 2).sum(axis=2),
        gradient=lambda c: -2.0 * (c[:, None] - peaks),
        project=lambda c: np.clip(c, 0.0, 1.0),
        sample=lambda n, rng: rng.random((n, 2)),
    )


TWO = hills(np.array([[0.9, 0.1], [0.1, 0.7]]))


def chosen(weights, rule, landscape=TWO, scale=UNIT):
    return choose(landscape, np.array(weights), scale, rule=rule, rng=generator(0, "test"))


def test_the_mean_is_best_where_the_weighted_peaks_balance():
    """The gradient sum_j w_j (peak_j - a) vanishes at the weighted mean of the peaks."""
    np.testing.assert_allclose(chosen([0.75, 0.25], "mean"), [0.7, 0.25], atol=1e-3)


def test_the_cautious_rule_makes_weighted_shortfalls_equal():
    short = 1.0 - TWO.predict(chosen([0.75, 0.25], "chebyshev")[None])[0]
    assert 0.75 * short[0] == pytest.approx(0.25 * short[1], rel=0.02)


@pytest.mark.parametrize("rule", ["mean", "chebyshev"])
def test_a_weight_of_zero_gives_the_other_its_peak(rule):
    np.testing.assert_allclose(chosen([0.0, 1.0], rule), [0.1, 0.7], atol=0.02)


@pytest.mark.parametrize("rule", ["mean", "chebyshev"])
def test_a_front_of_one_point_is_chosen_whatever_the_weights(rule):
    alike = hills(np.array([[0.4, 0.4], [0.4, 0.4]]))
    for weights in ([0.5, 0.5], [0.9, 0.1]):
        np.testing.assert_allclose(chosen(weights, rule, alike), [0.4, 0.4], atol=5e-3)


@pytest.mark.parametrize("rule", ["mean", "chebyshev"])
def test_equal_input_chooses_equal_bits(rule):
    assert chosen([0.3, 0.7], rule).tobytes() == chosen([0.3, 0.7], rule).tobytes()


def test_units_of_the_scale_count_and_not_those_of_the_metric():
    wide = Normalisation(np.zeros(2), np.array([1.0, 3.0]))  # the second objective is worth a third
    np.testing.assert_allclose(chosen([0.5, 0.5], "mean", scale=wide), chosen([0.75, 0.25], "mean"), atol=1e-3)


def test_what_is_no_rule_and_no_weights_is_refused():
    with pytest.raises(ConfigError, match="a rule of mean, chebyshev, got 'median'"):
        chosen([1.0, 1.0], "median")
    for rule in ("mean", "chebyshev"):
        for weights, problem in (([-1.0, 1.0], "zero or more"), ([0.0, 0.0], "above zero"), ([1.0], "expected 2")):
            with pytest.raises(PreferenceError, match=problem):
                chosen(weights, rule)
