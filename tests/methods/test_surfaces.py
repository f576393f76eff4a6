"""Do the intervals of surfaces hold what is measured on a held-out set that is another draw of items?"""

from dataclasses import replace

import numpy as np
import pytest

from mapmerge.methods.surfaces import effective_held_out
from mapmerge.records import Evaluation
from mapmerge.study import Study

SEARCH, SEEDS = 400, range(100, 120)


class Population:
    """Items that are drawn anew for every study; how right each is moves with the coefficients in its own way."""

    def __init__(self, seed, m, sizes, *, loss=False):
        rng = np.random.default_rng(seed)
        self.peaks, self.loss = rng.random((m, 2)), loss
        self.items = {
            (index, split): (rng.standard_normal(size), 0.5 * rng.standard_normal((size, 2)))
            for index in range(m)
            for split, size in sizes.items()
        }

    def outcomes(self, row, index, split):
        ease, drift = self.items[index, split]
        margins = 1.0 - 1.5 * ((row - self.peaks[index]) ** 2).sum() + ease + drift @ row
        return (np.logaddexp(0.0, -2.0 * margins) if self.loss else margins > 0.0).astype(np.float32)

    def measure(self, question, names):
        for row, name, sample in question.requests(names):
            seen = self.outcomes(row, names.index(name), question.split)
            drawn = b"" if sample is None else sample.items.tobytes()
            key = f"{name}-{row.tobytes().hex()}-{drawn.hex()}"
            seen = seen if sample is None else seen[sample.items]
            yield Evaluation(key, row, name, question.split, seen, sample=sample)


def fitted(make_world, metric, seed, *, items, units, held_out):
    """Return a population, the study that searched it, and the surfaces."""
    population = Population(seed, 3, {"search": SEARCH, "held_out": held_out}, loss=metric.link == "softplus")
    sections = {"method": "random", "seed": seed, "budget": {"evaluations": units}, "sampling": {"items": items}}
    small = make_world(metrics=[metric] * 3).study(**sections)
    study = Study(small.config, small.objectives, (SEARCH,) * 3, (held_out,) * 3)
    question = study.ask()
    study.tell(question, list(population.measure(question, list(study.brief.names))))
    return population, study, study.fit()


def inside(population, study, surfaces):
    """Return the share of measurements on held-out items that lie in their intervals."""
    rows = study.brief.first(1).region.sample(30, np.random.default_rng(0))
    scores = np.array(
        [[population.outcomes(row, j, "held_out").mean(dtype=np.float64) for j in range(3)] for row in rows]
    )
    low, high = surfaces.intervals(rows, 0.9)
    return ((low <= scores) & (scores <= high)).mean()


@pytest.mark.parametrize("name", ["accuracy", "loss"])
@pytest.mark.parametrize(
    ("items", "units", "held_out", "before"),
    [("all", 30, SEARCH, "narrow"), ("all", 30, 5 * SEARCH, None), (40, 6, SEARCH, "wide")],
)
def test_intervals_hold_measurements_on_fresh_held_out_items(make_world, metrics, name, items, units, held_out, before):
    metric = metrics[name]
    told, untold = [], []
    for seed in SEEDS:
        known = fitted(make_world, metric, seed, items=items, units=units, held_out=held_out)
        told.append(inside(*known))
        untold.append(inside(*known[:2], replace(known[2], covered=None)))
    assert 0.85 <= np.mean(told) <= 0.95
    if before == "narrow":
        assert np.mean(untold) < np.mean(told)
    if before == "wide" and name == "accuracy":
        assert np.mean(untold) > 0.95


@pytest.mark.parametrize("items", ["all", 40])
def test_right_and_wrong_items_count_as_they_are_and_losses_by_how_they_vary(make_world, metrics, items):
    plain = 1.0 / (1.0 / SEARCH + 1.0 / 1000)
    options = {"items": items, "units": 12, "held_out": 1000}
    _, study, surfaces = fitted(make_world, metrics["accuracy"], 0, **options)
    assert surfaces.covered == pytest.approx((plain,) * 3)
    population, study, surfaces = fitted(make_world, metrics["loss"], 0, **options)
    row = np.full(2, 0.5)
    losses = population.outcomes(row, 0, "search").astype(np.float64)
    expected = plain * losses.mean() / losses.var(ddof=1)
    assert effective_held_out(study.brief, study.history, 0) == pytest.approx(expected, rel=0.3)
