"""Does it help to predict every item, and to compute the score from those?

Surrogates of accuracy compete at equal numbers of items put through models. Some see scores only, others the logits of
every item, or only its margin: the logit of the right class less the best other one.

| scheme  | a unit of budget, which is one evaluation of all search items, buys                                |
|---------|----------------------------------------------------------------------------------------------------|
| `full`  | one candidate, measured on all items                                                               |
| `fixed` | as many candidates as samples of `--items` fit in; all see the same sample                         |
| `fresh` | as many, each with its own sample, stratified by difficulty round by round, as the adaptive method does |

| fit              | predicts                                                                                        |
|------------------|-------------------------------------------------------------------------------------------------|
| `quadratic`      | the score, as `adaptive.surrogate: quadratic` does                                              |
| `scores`         | the score, by a quadratic or a Gaussian process, whichever predicts left-out scores better      |
| `margins`        | every item's margin, as `adaptive.surrogate: margins` does                                      |
| `product`        | one of these, as `adaptive.surrogate: auto` does                                                |
| `stack`          | the convex mix of `scores` and `margins` that predicts left-out scores best                     |
| `logits`         | every item's logits, by populations as that of `margins`; how likely the right one is the largest |
| `margins_shared` | every item's margin, by one ridge pseudo-inverse for all items; how likely it is above 0        |
| `logits_shared`  | every item's logits, likewise; the arg-max decides                                              |

The first share of the candidates (`adaptive.first`) is spread over the region, the others lie around the front of the
dense reference (see `benchmarks.direct_search`), as those of the adaptive method's rounds do. Every fit is judged on
candidates that none sees, against their scores on all search items and on all held-out items: `region` is spread over
the region, `front` lies around that front.

    python -m benchmarks.prediction_space --study ZOO/study.yaml --units 10 40 --seeds 2 --out FILE.json
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from benchmarks.direct_search import reference
from benchmarks.machine import write
from benchmarks.sample_efficiency import Job, Worker
from mapmerge.designs.region import Region
from mapmerge.evaluators.classification import Classification, _margins
from mapmerge.history import History
from mapmerge.methods import fits
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import cost, difficulties, fixed_counts, samples_for
from mapmerge.methods.surfaces import fit_surfaces
from mapmerge.randomness import generator
from mapmerge.records import Array, Evaluation, Question, Split
from mapmerge.response import ResponseSurfaces
from mapmerge.surrogates.margins import _compressed
from mapmerge.surrogates.polynomial import Basis
from mapmerge.surrogates.population import Population, learn_population
from mapmerge.surrogates.protocol import Surrogate
from mapmerge.surrogates.selection import select
from mapmerge.threads import one_blas_thread, one_thread

Scheme = Literal["full", "fixed", "fresh"]
Logits = NDArray[np.float32]

SPLITS: tuple[Split, ...] = ("search", "held_out")
REFERENCE = 4000
JITTER = 0.03
"""Standard deviation of what candidates around the front are moved off it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--units", type=int, nargs="+", required=True, help="budgets to try")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--items", type=int, default=100, help="items of a sample")
    parser.add_argument("--test", type=int, default=150, help="candidates of each kind that no fit sees")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    load_average = os.getloadavg()[0]
    study = options.study.resolve()
    front = np.array(reference(study, REFERENCE, 0)["coefficients"])
    worker = Worker(study, [f"sampling.items={options.items}"])
    brief = _brief(worker, 0, 0)
    region = brief.first(1).region
    test = {
        "region": region.sample(options.test, generator(0, "prediction-space", "region")),
        "front": _near(front, options.test, region, generator(0, "prediction-space", "front")),
    }
    truth = {(kind, split): _scores(worker, rows, split) for kind, rows in test.items() for split in SPLITS}
    print("candidates that no fit sees: measured", flush=True)
    results: list[dict[str, Any]] = []
    for seed, units, scheme in itertools.product(range(options.seeds), options.units, FITS):
        seen = collect(worker, _brief(worker, units, seed), units, scheme, front)
        for name, fit in FITS[scheme].items():
            about = {"focus": 1.0 - brief.config.adaptive.first, "units": units, "seed": seed}
            results.append(about | {"scheme": scheme, "fit": name} | _judge(fit, seen, test, truth))
        print(f"seed {seed}, {units} units, {scheme}: done", flush=True)
        write(
            options.out,
            "prediction_space",
            results,
            study=study.parent.name,
            items_of_a_sample=options.items,
            test_candidates=options.test,
            reference={"candidates": REFERENCE, "front_points": len(front)},
            load_average=load_average,
            between_splits={
                f"rmse_{kind}_held_out": round(_rms(truth[kind, "search"] - truth[kind, "held_out"]), 5)
                for kind in test
            },
            summary=_summary(results),
        )


# What is measured


@dataclass(frozen=True, eq=False)
class Items:
    """What was measured of the items of one objective.

    Args:
        coefficients: shape [n, k].
        logits: shape [n, i, classes], NaN where a candidate did not see an item.
        margins: shape [n, i], likewise.
        labels: shape [i], the right class of each item.
    """

    coefficients: Array
    logits: Logits
    margins: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Seen:
    """What was measured: as the product knows it, and item by item."""

    brief: Brief
    region: Region
    history: History
    items: tuple[Items, ...]


def collect(worker: Worker, brief: Brief, units: int, scheme: Scheme, front: Array) -> Seen:
    """Spend a budget: a first share of the candidates evenly over the region, the others in rounds near the front."""
    counts = None if scheme == "full" else fixed_counts(brief)
    n = units * brief.unit // cost(brief, counts)
    adaptive, rng, region = brief.config.adaptive, brief.rng("prediction-space", units), brief.first(1).region
    first = round(adaptive.first * n)
    rows = np.vstack([region.sample(first, rng), _near(front, n - first, region, rng)])
    same = samples_for(brief, "all", 1, counts)
    history, logits = History(brief.names), {}
    for part in np.split(rows, np.linspace(first, n, adaptive.rounds + 1).astype(int)[:-1]):
        if not len(part):
            continue
        name = f"round-{len(history)}"
        if scheme == "fresh":
            hard = difficulties(brief, history, fit_surfaces(brief, history, region)) if len(history) else None
            wanted = samples_for(brief, name, len(part), counts, hard)
        else:
            wanted = None if same is None else same * len(part)
        question = Question(name, "search", part, wanted)
        evaluations = []
        for row, objective, sample in question.requests(brief.names):
            margins, found = _look(worker, row, objective, None if sample is None else sample.items)
            right = (margins > 0.0).astype(np.float32)
            key = row.tobytes().hex()
            evaluations.append(Evaluation(key, row, objective, "search", right, sample=sample, margins=margins))
            logits[objective, key] = found
        history = history.told(question, evaluations)
    return Seen(brief, region, history, tuple(_items(worker, history, name, logits) for name in brief.names))


def _look(
    worker: Worker, row: Array, objective: str, items: NDArray[np.int64] | None
) -> tuple[NDArray[np.float32], Logits]:
    """Put items through a candidate: margins [i] and logits [i, classes]."""
    parts: list[Logits] = []

    def judge(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        parts.append(logits.cpu().numpy())
        return _margins(logits, labels)

    with one_thread():
        margins = _evaluator(worker, objective)._measure(worker.resident.model.load(row), items, judge)
    return margins, np.concatenate(parts)


def _items(worker: Worker, history: History, objective: str, logits: Mapping[tuple[str, str], Logits]) -> Items:
    labels = _evaluator(worker, objective)._labels.cpu().numpy()
    margins = history.margins(objective, len(labels))
    assert margins is not None
    found = [logits[objective, row.tobytes().hex()] for row in history.observations.coefficients]
    table = np.full((*margins.shape, found[0].shape[1]), np.nan, dtype=np.float32)
    table[~np.isnan(margins)] = np.concatenate(found)  # items of a sample ascend
    return Items(history.observations.coefficients, table, margins, labels)


def _evaluator(worker: Worker, objective: str) -> Classification:
    evaluator = worker.resident.evaluator(objective, "search")
    assert isinstance(evaluator, Classification), "classification only"
    assert evaluator.tells_margins, "accuracy only"
    return evaluator


def _brief(worker: Worker, units: int, seed: int) -> Brief:
    config = worker.configured(Job("adaptive", max(units, 1), seed))
    return Brief(config, worker.objectives, worker.items, worker.held_out)


def _near(front: Array, n: int, region: Region, rng: np.random.Generator) -> Array:
    """Return n points around points of a front, shape [n, k]."""
    points = front[rng.integers(len(front), size=n)]
    return region.project(points + JITTER * rng.standard_normal(points.shape))


def _scores(worker: Worker, rows: Array, split: Split) -> Array:
    """Measure candidates [n, k] on all items: [n, m]."""
    measured = worker.measure(Question("test", split, rows))
    return np.array([each.score for each in measured]).reshape(len(rows), -1)


# Fits: from what was measured to what predicts the scores [n, m] of candidates [n, k]

Predict = Callable[[Array], Array]
Fit = Callable[[Seen], Predict]


def _surfaces(seen: Seen, fit: fits.Fit) -> ResponseSurfaces:
    return fit_surfaces(seen.brief, seen.history, seen.region, fit)


def of_product(fit: fits.Fit) -> Fit:
    """Return a fit that the adaptive method could do: to scores freed of how hard their items were, and to margins."""
    return lambda seen: _surfaces(seen, fit).scores


def scores(told: fits.Told) -> Surrogate:
    """Fit scores alone."""
    return select([fits.quadratic(told), fits.gaussian_process(told)])


def stack(seen: Seen) -> Predict:
    """Mix two fits convexly, as predicts left-out scores best."""
    one, other = _surfaces(seen, scores), _surfaces(seen, fits.margins)
    weights = [_weight(*pair) for pair in zip(one.surrogates, other.surrogates, strict=True)]
    return lambda candidates: one.scores(candidates) * (1.0 - np.array(weights)) + other.scores(candidates) * weights


def _weight(one: Surrogate, other: Surrogate) -> float:
    """Return the share of the other one that makes the squared error of left-out predictions least."""
    apart = other.left_out - one.left_out
    return float(np.clip(apart @ (one.measured - one.left_out) / (apart @ apart + 1e-12), 0.0, 1.0))


def by_items(fit: Callable[[Items], Predict]) -> Fit:
    """Return a fit of every objective by itself, from its items: to what predicts scores [n]."""

    def each(seen: Seen) -> Predict:
        predicts = [fit(items) for items in seen.items]
        return lambda candidates: np.column_stack([predict(candidates) for predict in predicts])

    return each


def logits(items: Items) -> Predict:
    """Learn the logits of right classes as one population, all others as another one.

    An item counts by the chance that the logit of its class is above the best other one, as if they were independent.
    """
    values = items.logits - items.logits.mean(axis=2, keepdims=True)  # which decides nothing
    right = np.arange(values.shape[2]) == items.labels[:, None]
    own, others = (learn_population(items.coefficients, values[:, which], 2) for which in (right, ~right))

    def predict(candidates: Array) -> Array:
        (mean, variance), (rivals, around) = (_moments(population, candidates) for population in (own, others))
        best = rivals.reshape(*mean.shape, -1).max(axis=2)
        chances: Array = ndtr((mean - best) / np.sqrt(variance + around)[:, None]).mean(axis=1)
        return chances

    return predict


def _moments(population: Population, candidates: Array) -> tuple[Array, Array]:
    """Return the means [n, i] and the variance [n] of single values."""
    features = population.basis(candidates)
    around = np.maximum(np.sum(features @ population.spread * features, axis=1), 0.0)
    return features @ population.members.T, around + population.noise


def margins_shared(items: Items) -> Predict:
    """Fit the margins of the items that all candidates saw; errors of left-out ones say how sure their signs are."""
    values = _compressed(items.margins[:, _shared(items)])
    at, error = _pseudo_inverse(items.coefficients, values)
    return lambda candidates: np.asarray(ndtr(at(candidates) / np.sqrt(error)).mean(axis=1))


def logits_shared(items: Items) -> Predict:
    """Fit all logits of the items that all candidates saw; the arg-max decides."""
    shared, classes = _shared(items), items.logits.shape[2]
    at, _ = _pseudo_inverse(items.coefficients, items.logits[:, shared].reshape(len(items.logits), -1))

    def predict(candidates: Array) -> Array:
        chosen = at(candidates).reshape(len(candidates), -1, classes).argmax(axis=2)
        return np.asarray((chosen == items.labels[shared]).mean(axis=1))

    return predict


def _shared(items: Items) -> NDArray[np.int64]:
    return np.flatnonzero(~np.isnan(items.margins).any(axis=0))


def _pseudo_inverse(coefficients: Array, values: NDArray[np.float32]) -> tuple[Predict, float]:
    """Fit quadratics to all columns [n, c] by one ridge pseudo-inverse, its strength chosen by leave-one-out.

    Returns:
        The quadratics, and the mean squared error of left-out values.
    """
    basis = Basis.of(coefficients, 2)
    features, y = basis(coefficients), values.astype(np.float64)
    ridge = len(y) * np.diag(np.array([0.0, 0.1, 1.0])[basis.degrees])
    best, least = np.zeros((features.shape[1], y.shape[1])), np.inf
    for strength in 10.0 ** np.arange(2.0, -6.5, -0.5):
        inverse = np.linalg.solve(features.T @ features + strength * ridge, features.T)
        left_out = (y - features @ (inverse @ y)) / (1.0 - np.sum(features * inverse.T, axis=1))[:, None]
        error = float(np.mean(left_out**2))
        if error < least:
            best, least = inverse @ y, error
    return lambda candidates: basis(candidates) @ best, least


SCORES: dict[str, Fit] = {"quadratic": of_product(fits.quadratic), "scores": of_product(scores)}
MARGINS: dict[str, Fit] = {"margins": of_product(fits.margins), "product": of_product(fits.best)}
SHARED: dict[str, Fit] = {"margins_shared": by_items(margins_shared), "logits_shared": by_items(logits_shared)}
FITS: dict[Scheme, dict[str, Fit]] = {
    "full": SCORES | MARGINS | SHARED,
    "fixed": SCORES | SHARED,
    "fresh": SCORES | MARGINS | {"stack": stack, "logits": by_items(logits)},
}


# How good they are


def _judge(fit: Fit, seen: Seen, test: dict[str, Array], truth: dict[tuple[str, Split], Array]) -> dict[str, float]:
    """Fit, and compare predictions with scores; `seconds` are those of one core and one objective."""
    with one_thread(), one_blas_thread():
        began = time.process_time()
        predict = fit(seen)
        entry = {"seconds": (time.process_time() - began) / len(seen.items)}
        predicted = {kind: predict(rows) for kind, rows in test.items()}
    errors = {f"rmse_{kind}_{split}": _rms(predicted[kind] - known) for (kind, split), known in truth.items()}
    return {key: float(f"{value:.4g}") for key, value in (entry | errors).items()}


def _rms(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _summary(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum up over seeds: root mean squares of errors, and median seconds."""
    about = ("focus", "units", "scheme", "fit")
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for entry in results:
        groups.setdefault(tuple(entry[key] for key in about), []).append(entry)
    return [
        dict(zip(about, place, strict=True))
        | {key: round(_rms(np.array([entry[key] for entry in own])), 5) for key in own[0] if key.startswith("rmse")}
        | {"seconds": round(float(np.median([entry["seconds"] for entry in own])), 3)}
        for place, own in groups.items()
    ]


if __name__ == "__main__":
    main()
