"""Does it help to predict every item's logits, and to compute the score from those?

Surrogates of accuracy compete at equal numbers of items put through models. Some see scores only, others the logits of
every item: they fit a polynomial in the coefficients to each item and count the items that it predicts to be right.

| scheme  | a unit of budget, which is one evaluation of all search items, buys                        |
|---------|----------------------------------------------------------------------------------------------|
| `full`  | one candidate, measured on all items                                                         |
| `fixed` | as many candidates as samples of `--items` fit in; all see the same sample                   |
| `fresh` | as many, each with its own sample, stratified by difficulty in rounds as the adaptive method does |

| fit                | predicts                                                                              |
|--------------------|---------------------------------------------------------------------------------------|
| `quadratic`        | the score: `fit_quadratic` as it is                                                   |
| `product`          | the score as the adaptive method does: see `mapmerge.sampling.adjust`, then a         |
|                    | quadratic or a Gaussian process, whichever predicts left-out scores better            |
| `logits_shared`    | all logits by one ridge hat matrix that all items share; the arg-max decides          |
| `margins_shared`   | the margin of the right class by the same, an item counting by its chance to be right |
| `logits`           | all logits, an item's quadratic being a draw from a population (see below)            |
| `margins`          | margins, likewise; `margins_hard` counts signs instead of chances                     |
| `margins_cubic`    | margins, likewise, by cubics                                                          |
| `outcomes`         | right or wrong alone, likewise: a logistic model with no need for logits              |
| `assisted`         | the score, as `product` does but freed of luck by `margins` instead                   |
| `stack`            | convex mix of `product`, `margins` and `margins_cubic`, weights by cross-validation   |

The population: coefficients of an item are normal with a mean and a covariance that all items share, learnt by
expectation maximisation; an item that few candidates saw is drawn to the mean. Margins are compressed by arcsinh, in
units of their median size, because only their sign counts in the end; the chance that it is positive takes in what the
fit does not know. The mean over all items is the score.

Every fit is judged on candidates that no fit sees, against their scores on all search items and on all held-out items:
`region` is spread over the region, `front` lies around the front of the dense reference beside the study. `centred`
errors leave out the mean error of an objective, which shifts all candidates alike. With `--focus` that share of the
candidates that fits do see (on fresh samples only) lies around that front too, as after rounds of an adaptive method.

`--fronts` runs whole searches as the adaptive method does, but all with one plain search of the surrogates, and
compares hypervolumes of 50 delivered candidates on held-out items with the best 50 of the dense reference.

    python -m benchmarks.prediction_space --study ZOO/study.yaml --units 5 10 20 40 --seeds 5 --out FILE.json
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import expit, ndtr

from benchmarks.machine import write
from mapmerge.config import read_study
from mapmerge.designs.initial import design
from mapmerge.designs.region import Region
from mapmerge.evaluators.classification import Classification
from mapmerge.fronts.choose import choose
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.randomness import generator
from mapmerge.records import Array, Evaluation, Metric, Sample, Split
from mapmerge.sampling.adjust import adjust
from mapmerge.sampling.difficulty import difficulty
from mapmerge.sampling.draw import draw
from mapmerge.sampling.estimate import effective_items, variance
from mapmerge.surrogates.features import parameter_count, quadratic_features
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.gaussian_process import fit_gaussian_process
from mapmerge.surrogates.selection import select
from mapmerge.threads import one_thread
from tasks.resident import Blueprint, Resident

Scheme = Literal["full", "fixed", "fresh"]
Predict = Callable[[Array], Array]
Fit = Callable[["Seen"], Predict]

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)
SPLITS: tuple[Split, ...] = ("search", "held_out")
EVERY: tuple[Scheme, ...] = ("full", "fixed", "fresh")
FRESH: tuple[Scheme, ...] = ("fresh",)
FIRST, ROUNDS = 0.4, 5
"""Share of the candidates that come before the first fit, and the rounds that the others come in."""

JITTER = 0.03
DELIVERED = 50
BLOCK = 256
STEPS = 15
FOLDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--units", type=int, nargs="+", required=True, help="budgets to try")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--items", type=int, default=100, help="items of a sample")
    parser.add_argument("--test", type=int, default=150, help="candidates of each kind that no fit sees")
    parser.add_argument("--focus", type=float, nargs="+", default=[0.0, 0.6], help="share of candidates near the front")
    parser.add_argument("--fronts", type=int, nargs="*", default=[], help="budgets of whole searches")
    parser.add_argument("--reference", type=Path, help="dense reference; reference-4000-0.json beside the study")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    load_average = os.getloadavg()[0]
    study = options.study.resolve()
    reference = json.loads((options.reference or study.parent / "reference-4000-0.json").read_text(encoding="utf-8"))
    zoo = Zoo(study, options.items)
    front = np.array(reference["coefficients"])
    test = {
        "region": zoo.region.sample(options.test, generator(0, "prediction-space", "region")),
        "front": zoo.near(front, options.test, generator(0, "prediction-space", "front")),
    }
    truth = {(kind, split): zoo.scores(rows, split) for kind, rows in test.items() for split in SPLITS}
    print("candidates that no fit sees: measured", flush=True)
    results: list[dict[str, Any]] = []
    searches: list[dict[str, Any]] = []

    def save() -> None:
        write(
            options.out,
            "prediction_space",
            results,
            study=study.parent.name,
            items_of_a_sample=options.items,
            test_candidates=options.test,
            reference={"candidates": reference["candidates"], "front_points": len(front)},
            load_average=load_average,
            between_splits=_between_splits(truth),
            summary=_summary(results),
            fronts=searches,
            fronts_summary=_fronts_summary(searches),
        )

    for seed, focus, units in itertools.product(range(options.seeds), options.focus, options.units):
        rng = generator(seed, "prediction-space", units, str(focus))
        for scheme in EVERY if focus == 0.0 else FRESH:
            observed = zoo.collect(units, scheme, focus, front, rng)
            for objective, name in enumerate(zoo.names):
                for fit in FITS[scheme]:
                    about = {"focus": focus, "units": units, "seed": seed, "scheme": scheme, "fit": fit}
                    judged = _judge(FITS[scheme][fit], observed[objective], test, truth, objective)
                    results.append(about | {"objective": name} | judged)
        print(f"seed {seed}, focus {focus}, {units} units: done", flush=True)
        save()
    for seed, units, name in itertools.product(range(options.seeds), options.fronts, SEARCHED):
        searches.append(_search(zoo, name, units, seed, reference))
        save()


# What is measured


@dataclass(frozen=True, eq=False)
class Seen:
    """What was measured of one objective.

    Args:
        coefficients: shape [n, k].
        labels: shape [i], the right class of every item.
        items: shape [n, s], the items that each candidate saw.
        logits: float32, shape [n, s, classes].
        samples: n of them; None: all items.
    """

    coefficients: Array
    labels: NDArray[np.int64]
    items: NDArray[np.int64]
    logits: NDArray[np.float32]
    samples: tuple[Sample | None, ...]

    def of(self, rows: NDArray[np.int64]) -> "Seen":
        """Return what was measured of these candidates."""
        samples = tuple(self.samples[row] for row in rows)
        return Seen(self.coefficients[rows], self.labels, self.items[rows], self.logits[rows], samples)

    def and_also(self, other: "Seen") -> "Seen":
        """Return what was measured of both."""
        parts = ((getattr(self, name), getattr(other, name)) for name in ("coefficients", "items", "logits"))
        coefficients, items, logits = (np.concatenate(part) for part in parts)
        return Seen(coefficients, self.labels, items, logits, self.samples + other.samples)

    @cached_property
    def outcomes(self) -> NDArray[np.float32]:
        """1 where an item was right, shape [n, s]."""
        right: NDArray[np.bool_] = self.logits.argmax(axis=2) == self.labels[self.items]
        return right.astype(np.float32)

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """What the product would know of them."""
        told = zip(self.coefficients, self.outcomes, self.samples, strict=True)
        return [Evaluation("", row, "", "search", right, sample=sample) for row, right, sample in told]

    @cached_property
    def scores(self) -> Array:
        """Shape [n]."""
        return np.array([each.score for each in self.evaluations])

    @cached_property
    def variances(self) -> Array:
        """Sampling variances of the scores, shape [n]."""
        return np.array(
            [variance(outcomes, sample) for outcomes, sample in zip(self.outcomes, self.samples, strict=True)]
        )

    @property
    def effective(self) -> Array:
        """Items of a simple sample that would be as precise, shape [n]."""
        return effective_items(self.scores, self.variances, np.full(len(self.scores), self.items.shape[1]), ACCURACY)

    def table(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return values [n, s, ...] by item, [n, i, ...], NaN where a candidate did not see it."""
        by_item = np.full((len(values), len(self.labels), *values.shape[2:]), np.nan, dtype=np.float32)
        np.put_along_axis(by_item, self.items.reshape(*self.items.shape, *[1] * (values.ndim - 2)), values, axis=1)
        return by_item

    def difficulty(self) -> Array | None:
        """Return how hard each item is, or None where too little is known."""
        return difficulty(self.evaluations, quadratic(self)(self.coefficients), len(self.labels))


class Zoo:
    """A study whose candidates are measured in this process, item by item, logits and all."""

    def __init__(self, study: Path, items: int) -> None:
        self.config = read_study(study, [])
        self.k = len(self.config.experts)
        self.names = [objective.name for objective in self.config.objectives]
        self.resident = Resident(Blueprint(self.config.model_dump(mode="json"), str(study.parent)))
        self.sizes = [len(self._evaluator(name, "search")) for name in self.names]
        self.samples_of = items
        self.region = self._even(parameter_count(self.k), generator(0))[1]

    def collect(self, units: int, scheme: Scheme, focus: float, front: Array, rng: np.random.Generator) -> list[Seen]:
        """Spend a budget: candidates even over the region, then a share of them near the front."""
        n = units if scheme == "full" else round(units * sum(self.sizes) / (self.samples_of * len(self.sizes)))
        focused = round(focus * n)
        rows = np.vstack([self._even(n - focused, rng)[0], self.near(front, focused, rng)])
        if scheme != "fresh":
            samples = [None if scheme == "full" else draw(self.samples_of, None, rng, size=size) for size in self.sizes]
            return self.measure(rows, [[sample] * n for sample in samples])
        observed: list[Seen] = []
        for part in np.split(rows, rounds(n)):
            observed = self.more(observed, part, rng)
        return observed

    def more(self, observed: list[Seen], rows: Array, rng: np.random.Generator) -> list[Seen]:
        """Measure candidates [n, k] on fresh samples, stratified by what was observed before."""
        hard = [seen.difficulty() for seen in observed] or [None] * len(self.sizes)
        samples = [
            [draw(self.samples_of, known, rng, size=size) for _ in rows]
            for known, size in zip(hard, self.sizes, strict=True)
        ]
        found = self.measure(rows, samples)
        return [before.and_also(after) for before, after in zip(observed, found, strict=True)] if observed else found

    def measure(self, rows: Array, samples: Sequence[Sequence[Sample | None]], split: Split = "search") -> list[Seen]:
        """Measure candidates [n, k], each on its samples: one entry an objective."""
        logits: list[list[NDArray[np.float32]]] = [[] for _ in self.names]
        with torch.inference_mode(), one_thread():
            for number, row in enumerate(rows):
                model = self.resident.model.load(row)
                for objective, name in enumerate(self.names):
                    sample = samples[objective][number]
                    logits[objective].append(
                        _logits(self._evaluator(name, split), model, None if sample is None else sample.items)
                    )
        return [
            Seen(
                rows,
                labels := self._evaluator(name, split)._labels.cpu().numpy(),
                np.stack([np.arange(len(labels)) if sample is None else sample.items for sample in samples[objective]]),
                np.stack(logits[objective]),
                tuple(samples[objective]),
            )
            for objective, name in enumerate(self.names)
        ]

    def scores(self, rows: Array, split: Split) -> Array:
        """Measure candidates [n, k] on all items: [n, m]."""
        none: list[list[Sample | None]] = [[None]] * len(self.names)
        return np.array([[seen.scores[0] for seen in self.measure(row[None], none, split)] for row in rows])

    def near(self, front: Array, n: int, rng: np.random.Generator) -> Array:
        """Return n points around points of a front, shape [n, k]."""
        points = front[rng.integers(len(front), size=n)]
        return self.region.project(points + JITTER * rng.standard_normal(points.shape))

    def _even(self, n: int, rng: np.random.Generator) -> tuple[Array, Region]:
        """Return what a study measures first; without anchors where not even a quadratic could be determined."""
        d = self.config.design
        least = parameter_count(self.k)
        anchors = 0 if n >= least else self.k + 2
        drawn = design(d.kind, max(n, least) + anchors, self.k, rng=rng, mass=d.mass, lower=d.lower, upper=d.upper)
        return drawn.coefficients[anchors : anchors + n], drawn.region

    def _evaluator(self, name: str, split: Split) -> Classification:
        evaluator = self.resident.evaluator(name, split)
        assert isinstance(evaluator, Classification), "classification only"
        assert evaluator.metric == ACCURACY, "accuracy only"
        return evaluator


def _logits(evaluator: Classification, model: torch.nn.Module, items: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """Return all logits [s, classes], by the evaluator's own batches."""
    inputs = (
        evaluator._inputs if items is None else evaluator._inputs[torch.from_numpy(items).to(evaluator._labels.device)]
    )
    size = evaluator._options.batch_size
    found: NDArray[np.float32] = (
        torch.cat([evaluator._logits(model, part) for part in torch.split(inputs, size)]).cpu().numpy()
    )
    return found


def rounds(n: int) -> list[int]:
    """Return where n candidates are cut into a first share and rounds."""
    return [round(cut) for cut in np.linspace(round(FIRST * n), n, ROUNDS + 1)[:-1]]


# Fits that see scores only


def quadratic(seen: Seen) -> Predict:
    """Fit the product's quadratic."""
    return fit_quadratic(seen.coefficients, seen.scores, seen.variances, seen.effective, ACCURACY).predict


def product(seen: Seen) -> Predict:
    """Fit as the adaptive method does: adjusted scores of samples, a Gaussian process where it predicts better."""
    evaluations = seen.evaluations
    if seen.samples[0] is not None:
        evaluations = adjust(evaluations, quadratic(seen)(seen.coefficients), len(seen.labels))
    return _selected(
        seen.coefficients,
        np.clip([each.score for each in evaluations], 0.0, 1.0),
        np.array([variance(each.outcomes, each.sample) for each in evaluations if each.outcomes is not None]),
        np.full(len(evaluations), seen.items.shape[1]),
    )


def _selected(coefficients: Array, scores: Array, variances: Array, items: Array) -> Predict:
    told = coefficients, scores, variances, effective_items(scores, variances, items, ACCURACY), ACCURACY
    return select([fit_quadratic(*told), fit_gaussian_process(*told)]).predict


# Fits that see items


@dataclass(frozen=True, eq=False)
class Basis:
    """Monomials of standardised coefficients, each of mean square 1 over the measured candidates."""

    centre: Array
    scale: Array
    degree: int
    size: Array

    @classmethod
    def of(cls, coefficients: Array, degree: int) -> "Basis":
        """Standardise by these candidates [n, k]."""
        scale = np.std(coefficients, axis=0)
        plain = cls(np.mean(coefficients, axis=0), np.where(scale > 0.0, scale, 1.0), degree, np.ones(1))
        return replace(plain, size=np.maximum(np.sqrt(np.mean(plain(coefficients) ** 2, axis=0)), 1e-9))

    def __call__(self, coefficients: Array) -> Array:
        """Return features [n, p] of candidates [n, k], the constant first."""
        z = (coefficients - self.centre) / self.scale
        parts = [quadratic_features(z)]
        for degree in range(3, self.degree + 1):
            parts += [
                np.prod(z[:, chosen], axis=1, keepdims=True)
                for chosen in itertools.combinations_with_replacement(range(z.shape[1]), degree)
            ]
        features: Array = np.hstack(parts) / self.size
        return features

    def sizes(self, k: int, p: int) -> Array:
        """Return how large coefficients of the p features are guessed to be before anything is known."""
        degrees = np.repeat([0, 1, 2, 3], [1, k, parameter_count(k) - k - 1, max(0, p - parameter_count(k))])
        guess = np.array([1.0, 0.3, 0.1, 0.03])[degrees]
        shares: Array = guess / guess.sum()
        return shares


class Items(Protocol):
    """What is known of every item at any candidate."""

    def chances(self, candidates: Array) -> Iterator[Array]:
        """Return the chances of being right, [n, some items] a time."""


def score(items: Items) -> Predict:
    """Return the surrogate that counts items."""

    def predict(candidates: Array) -> Array:
        total, count = np.zeros(len(candidates)), 0
        for block in items.chances(candidates):
            total, count = total + block.sum(axis=1), count + block.shape[1]
        return total / count

    return predict


@dataclass(frozen=True, eq=False)
class Population:
    """A polynomial for each column (an item, or a class of an item), normal around a common mean.

    Args:
        basis: of p features.
        coefficients: shape [columns, p], their posterior means.
        covariances: float32, shape [columns, p * p].
        noise: variance of what a polynomial leaves; None where outcomes were fitted by a logistic model.
    """

    basis: Basis
    coefficients: Array
    covariances: NDArray[np.float32]
    noise: float | None

    @classmethod
    def fit(
        cls, coefficients: Array, values: NDArray[np.float32], degree: int = 2, *, outcomes: bool = False
    ) -> "Population":
        """Learn the population and all its members from values [n, columns], NaN where there is none.

        Values are normal around a polynomial or, if they are outcomes, 1 with the chance expit(polynomial).

        Source: for outcomes the variational bound of Jaakkola and Jordan, Statistics and Computing 10 (2000).
        """
        basis = Basis.of(coefficients, degree)
        features = basis(coefficients)
        (n, p), columns = features.shape, values.shape[1]
        outer = (features[:, :, None] * features[:, None, :]).reshape(n, p * p)
        mean, noise = np.zeros(p), 1.0
        bend = np.ones(values.shape) if outcomes else np.empty((0, columns))  # where the logistic bound touches
        guess = basis.sizes(coefficients.shape[1], p)
        if outcomes:
            covariance = np.diag(4.0 * guess)
        else:
            counts, sums = np.sum(~np.isnan(values), axis=1), np.nansum(values, axis=1, dtype=np.float64)
            pooled = features.T @ (features * counts[:, None])
            mean = np.linalg.solve(pooled + 1e-3 * np.trace(pooled) / p * np.eye(p), features.T @ sums)
            spread = float(np.nanmean((values - (features @ mean)[:, None]) ** 2))
            covariance, noise = np.diag(0.9 * spread * guess), 0.1 * spread
        found = np.empty((columns, p)), np.empty((columns, p * p), dtype=np.float32)
        for _ in range(STEPS):
            precision = np.linalg.inv(covariance + 1e-8 * np.trace(covariance) / p * np.eye(p))
            second, squares = np.zeros((p, p)), 0.0
            for start in range(0, columns, BLOCK):
                part = slice(start, start + BLOCK)
                there = ~np.isnan(values[:, part])
                y = np.where(there, values[:, part], 0.0).astype(np.float64)
                if outcomes:
                    weights, pulls = there * np.tanh(bend[:, part] / 2.0) / (2.0 * bend[:, part]), there * (y - 0.5)
                else:
                    weights, pulls = there / noise, y / noise
                spreads = np.linalg.inv((weights.T @ outer).reshape(-1, p, p) + precision)
                means = np.einsum("cpq,cq->cp", spreads, pulls.T @ features + precision @ mean)
                at, around = features @ means.T, outer @ spreads.reshape(-1, p * p).T
                if outcomes:
                    bend[:, part] = np.sqrt(at**2 + np.maximum(around, 0.0)) + 1e-6
                squares += float(np.sum(there * ((y - at) ** 2 + around)))
                second += means.T @ means + spreads.sum(axis=0)
                found[0][part], found[1][part] = means, spreads.reshape(-1, p * p)
            mean = found[0].mean(axis=0)
            covariance, noise = second / columns - np.outer(mean, mean), max(squares / np.sum(~np.isnan(values)), 1e-9)
        return cls(basis, *found, None if outcomes else noise)

    def moments(self, candidates: Array, part: slice) -> tuple[Array, Array]:
        """Return the mean and the variance of some columns' polynomials, [n, columns] each."""
        features = self.basis(candidates)
        outer = (features[:, :, None] * features[:, None, :]).reshape(len(features), -1).astype(np.float32)
        return features @ self.coefficients[part].T, np.maximum(outer @ self.covariances[part].T, 0.0)

    def chances(self, candidates: Array) -> Iterator[Array]:
        """Return the chances that values are positive, or that outcomes are 1."""
        for start in range(0, len(self.coefficients), BLOCK):
            mean, spread = self.moments(candidates, slice(start, start + BLOCK))
            yield (
                expit(mean / np.sqrt(1.0 + np.pi * spread / 8.0))
                if self.noise is None
                else ndtr(mean / np.sqrt(spread + self.noise))
            )


@dataclass(frozen=True, eq=False)
class Signs:
    """Items that are right or wrong, as the mean of a population says."""

    population: Population

    def chances(self, candidates: Array) -> Iterator[Array]:
        """Return zeros and ones."""
        yield (self.population.basis(candidates) @ self.population.coefficients.T > 0.0).astype(np.float64)


def margins(seen: Seen, degree: int = 2) -> Population:
    """Fit how far the logit of the right class is above the best other one."""
    return Population.fit(seen.coefficients, seen.table(_compressed(seen)), degree)


def outcomes(seen: Seen) -> Population:
    """Fit which items are right, from nothing but that."""
    return Population.fit(seen.coefficients, seen.table(seen.outcomes), outcomes=True)


@dataclass(frozen=True, eq=False)
class Logits:
    """All logits: those of right classes are one population, all others another one."""

    labels: NDArray[np.int64]
    own: Population
    others: Population

    @classmethod
    def fit(cls, seen: Seen) -> "Logits":
        """Fit logits less their mean, which decides nothing."""
        values = seen.table(seen.logits - seen.logits.mean(axis=2, keepdims=True))
        right = np.arange(values.shape[2]) == seen.labels[:, None]
        own, others = (Population.fit(seen.coefficients, values[:, mask]) for mask in (right, ~right))
        return cls(seen.labels, own, others)

    def chances(self, candidates: Array) -> Iterator[Array]:
        """Return the chances that the right class beats the best other one, taking them as independent."""
        assert self.own.noise is not None
        assert self.others.noise is not None
        others = len(self.others.coefficients) // len(self.labels)
        for item in range(0, len(self.labels), BLOCK // 8):
            last = item + BLOCK // 8
            mean, spread = self.own.moments(candidates, slice(item, last))
            rivals, spreads = (
                part.reshape(*mean.shape, others)
                for part in self.others.moments(candidates, slice(item * others, last * others))
            )
            best = rivals.argmax(axis=2)[..., None]
            mean = mean - np.take_along_axis(rivals, best, axis=2)[..., 0]
            spread = spread + np.take_along_axis(spreads, best, axis=2)[..., 0]
            yield ndtr(mean / np.sqrt(spread + self.own.noise + self.others.noise))


def margins_of(logits: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[Any]:
    """Return the logit of the right class less the best other one: [...] of logits [..., classes], labels [...]."""
    right = labels[..., None] == np.arange(logits.shape[-1])
    own: NDArray[Any] = np.sum(logits, axis=-1, where=right)
    best: NDArray[Any] = np.max(logits, axis=-1, where=~right, initial=-np.inf)
    above: NDArray[Any] = own - best
    return above


def _compressed(seen: Seen) -> NDArray[np.float32]:
    found = margins_of(seen.logits, seen.labels[seen.items])
    compressed: NDArray[np.float32] = np.arcsinh(found / np.median(np.abs(found)))
    return compressed


def shared(seen: Seen, *, logits: bool) -> Predict:
    """Fit all columns by one ridge hat matrix, its strength by leave-one-out; every candidate saw the same items.

    Logits are predicted and the arg-max decides; margins are predicted and their leave-one-out errors give the chance.
    """
    labels = seen.labels[seen.items[0]]
    values = seen.logits.reshape(len(seen.logits), -1) if logits else _compressed(seen)
    basis = Basis.of(seen.coefficients, 2)
    features, y = basis(seen.coefficients), values.astype(np.float64)
    ridge = len(y) * np.diag(np.where(np.arange(features.shape[1]) > seen.coefficients.shape[1], 1.0, 0.1))
    ridge[0, 0] = 0.0
    best: tuple[float, Array] | None = None
    for strength in 10.0 ** np.arange(2.0, -6.5, -0.5):
        hat = np.linalg.solve(features.T @ features + strength * ridge, features.T)
        left_out = (y - features @ (hat @ y)) / (1.0 - np.sum(features * hat.T, axis=1))[:, None]
        error = float(np.mean(left_out**2))
        if best is None or error < best[0]:
            best = error, hat @ y
    assert best is not None
    error, coefficients = best

    def predict(candidates: Array) -> Array:
        at = basis(candidates) @ coefficients
        if not logits:
            chances: Array = ndtr(at / np.sqrt(error)).mean(axis=1)
            return chances
        right: Array = (margins_of(at.reshape(len(at), len(labels), -1), labels) > 0.0).mean(axis=1)
        return right

    return predict


# Fits that see both


def assisted(seen: Seen) -> Predict:
    """Fit the quadratic to scores to which the items that a candidate did not see contribute too.

    Score = mean of all predicted chances + mean over the sample of (outcome - its chance): without bias, and the more
    precise the better the chances are, which come from a fit that did not see the candidate.
    """
    n, scores, squares = len(seen.scores), np.empty(len(seen.scores)), 0.0
    for held in _folds(n):
        fitted = margins(seen.of(np.setdiff1d(np.arange(n), held)))
        chances = np.hstack(list(fitted.chances(seen.coefficients[held])))
        errors = seen.outcomes[held] - np.take_along_axis(chances, seen.items[held], axis=1)
        scores[held] = chances.mean(axis=1) + errors.mean(axis=1)
        squares += float(np.sum(errors**2))
    scores = np.clip(scores, 0.0, 1.0)
    single = squares / seen.outcomes.size
    drawn = seen.items.shape[1]
    return _selected(seen.coefficients, scores, np.full(n, single / drawn), np.full(n, drawn))


def stack(seen: Seen) -> Predict:
    """Mix three fits convexly, as predicts candidates best that a fit has not seen."""
    members: list[Fit] = [product, lambda s: score(margins(s)), lambda s: score(margins(s, 3))]
    n = len(seen.scores)
    left_out = np.empty((n, len(members)))
    for held in _folds(n):
        rest = seen.of(np.setdiff1d(np.arange(n), held))
        left_out[held] = np.column_stack([member(rest)(seen.coefficients[held]) for member in members])
    heavy = 1e3  # makes the weights sum to one
    weights = nnls(np.vstack([left_out, np.full(len(members), heavy)]), np.append(seen.scores, heavy))[0]
    used = [(weight, member(seen)) for weight, member in zip(weights / weights.sum(), members, strict=True) if weight]
    return lambda candidates: np.sum([weight * predict(candidates) for weight, predict in used], axis=0)


def _folds(n: int) -> list[NDArray[np.int64]]:
    return [np.sort(part) for part in np.array_split(generator(0, "prediction-space", "folds").permutation(n), FOLDS)]


FITS: dict[Scheme, dict[str, Fit]] = {
    "full": {
        "quadratic": quadratic,
        "product": product,
        "logits_shared": partial(shared, logits=True),
        "margins_shared": partial(shared, logits=False),
    },
    "fixed": {
        "quadratic": quadratic,
        "logits_shared": partial(shared, logits=True),
        "margins_shared": partial(shared, logits=False),
    },
    "fresh": {
        "quadratic": quadratic,
        "product": product,
        "logits": lambda seen: score(Logits.fit(seen)),
        "margins_hard": lambda seen: score(Signs(margins(seen))),
        "margins": lambda seen: score(margins(seen)),
        "margins_cubic": lambda seen: score(margins(seen, 3)),
        "outcomes": lambda seen: score(outcomes(seen)),
        "assisted": assisted,
        "stack": stack,
    },
}


# How good they are


def _judge(
    fit: Fit, seen: Seen, test: dict[str, Array], truth: dict[tuple[str, Split], Array], objective: int
) -> dict[str, float]:
    """Fit, and compare predictions with scores."""
    with one_thread():
        began = time.process_time()
        predict = fit(seen)
        entry = {"seconds": time.process_time() - began}
        for kind, rows in test.items():
            predicted = predict(rows)
            for split in SPLITS:
                errors = predicted - truth[kind, split][:, objective]
                entry[f"rmse_{kind}_{split}"] = float(np.sqrt(np.mean(errors**2)))
                entry[f"centred_{kind}_{split}"] = float(np.std(errors))
    return {key: float(f"{value:.4g}") for key, value in entry.items()}


MEASURES = [
    f"{what}_{kind}_{split}" for what in ("rmse", "centred") for split in SPLITS for kind in ("region", "front")
]


def _between_splits(truth: dict[tuple[str, Split], Array]) -> dict[str, float]:
    """Return the errors, on held-out items, of whoever knew the score on all search items without any error."""
    found = {}
    for kind in ("region", "front"):
        errors = truth[kind, "search"] - truth[kind, "held_out"]
        found[f"rmse_{kind}_held_out"] = round(float(np.sqrt(np.mean(errors**2))), 5)
        found[f"centred_{kind}_held_out"] = round(float(np.sqrt(np.mean(np.var(errors, axis=0)))), 5)
    return found


def _summary(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum up over seeds and objectives: root mean squares, and how often each beats `product` on fresh samples."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for entry in results:
        groups.setdefault(tuple(entry[key] for key in ("focus", "units", "scheme", "fit")), []).append(entry)
    summary = []
    for (focus, units, scheme, fit), own in groups.items():
        best = {(entry["seed"], entry["objective"]): entry for entry in groups[focus, units, "fresh", "product"]}
        line: dict[str, Any] = {"focus": focus, "units": units, "scheme": scheme, "fit": fit}
        for key in MEASURES:
            line[key] = round(float(np.sqrt(np.mean([entry[key] ** 2 for entry in own]))), 5)
            line[f"wins_{key}"] = sum(entry[key] < best[entry["seed"], entry["objective"]][key] for entry in own)
        summary.append(
            line | {"of": len(own), "seconds": round(float(np.median([entry["seconds"] for entry in own])), 3)}
        )
    return summary


# Whole searches


def _margins_by_size(seen: Seen) -> Predict:
    """Fit cubics where there are four candidates for each of their parameters, else quadratics."""
    k = seen.coefficients.shape[1]
    enough = 4 * parameter_count(k) * (k + 3) // 3
    return score(margins(seen, 3 if len(seen.scores) >= enough else 2))


SEARCHED: dict[str, Fit] = {
    "product": product,
    "margins": _margins_by_size,
}


def _search(zoo: Zoo, name: str, units: int, seed: int, reference: dict[str, Any]) -> dict[str, Any]:
    """Find a front: an even first share of the candidates, then rounds of points near the predicted front."""
    rng = generator(seed, "prediction-space", "search", units)
    n = round(units * sum(zoo.sizes) / (zoo.samples_of * len(zoo.sizes)))
    cuts = [*rounds(n), n]
    observed = zoo.more([], zoo._even(cuts[0], rng)[0], rng)
    thinking = 0.0
    for wanted in [*np.diff(cuts).tolist(), 0]:
        began = time.process_time()
        with one_thread():
            fits = [SEARCHED[name](seen) for seen in observed]
            points, gains = _predicted_front(lambda rows: np.column_stack([fit(rows) for fit in fits]), zoo, rng)  # noqa: B023
            unmerged = np.vstack([np.zeros((1, zoo.k)), np.eye(zoo.k)])
            unit = Normalisation.of(np.column_stack([fit(unmerged) for fit in fits]))
            best = points[choose(gains, wanted or DELIVERED, unit)]
        thinking += time.process_time() - began
        if wanted:
            best = best[np.arange(wanted) % len(best)]
            width = points.max(axis=0) - points.min(axis=0)
            observed = zoo.more(
                observed, zoo.region.project(best + 0.05 * width * rng.standard_normal(best.shape)), rng
            )
    known = Normalisation.of(np.array(reference["unmerged_gains"]))
    dense = np.array(reference["gains"])
    few = dense[choose(dense, DELIVERED, known)]
    origin = np.zeros(len(zoo.names))
    volume = hypervolume(known.apply(zoo.scores(best, "held_out")), origin)
    ratio = volume / hypervolume(known.apply(few), origin)
    print(f"{units} units, seed {seed}, {name}: {ratio:.4f}", flush=True)
    return {
        "units": units,
        "seed": seed,
        "fit": name,
        "hypervolume_ratio_50": round(ratio, 5),
        "seconds_thinking": round(thinking, 2),
    }


def _predicted_front(predict: Predict, zoo: Zoo, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return what none of the points tried is predicted to dominate: an even pool, then mutations of its best."""
    points = zoo.region.sample(4096, rng)
    gains = predict(points)
    for step in np.geomspace(0.1, 0.01, 8):
        kept = nondominated(gains)
        points, gains = points[kept], gains[kept]
        parents = points[rng.integers(len(points), size=1024)]
        children = zoo.region.project(parents + step * rng.standard_normal(parents.shape))
        points, gains = np.vstack([points, children]), np.vstack([gains, predict(children)])
    kept = nondominated(gains)
    return points[kept], gains[kept]


def _fronts_summary(searches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[int, str], list[float]] = {}
    for search in searches:
        groups.setdefault((search["units"], search["fit"]), []).append(search["hypervolume_ratio_50"])
    return [
        {"units": units, "fit": fit, "median": float(np.median(own)), "least": min(own), "greatest": max(own)}
        for (units, fit), own in groups.items()
    ]


if __name__ == "__main__":
    main()
