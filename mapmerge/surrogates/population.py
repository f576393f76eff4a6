"""One polynomial for every item of a set, each seen by few candidates: learnt together, as members of a population."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mapmerge.records import Array
from mapmerge.surrogates.polynomial import Basis

_SUBSET = 256
"""Items, evenly chosen, from which the population is learnt first: more of them only cost time."""

_STEPS, _LAST_STEPS = 10, 2
"""Steps with those, then with all items."""

_EVERY = 4
"""Of every so many items one has its covariance computed while the population is learnt."""

_BLOCK = 512
"""Items whose chances are computed at a time."""

_GUESS = np.array([1.0, 0.3, 0.1, 0.03])
"""Relative variances of parameters of degree 0, 1, 2 and 3, before anything is known."""

_MOST_LEVERAGE = 0.95
"""Of a candidate on the population's mean: beyond, nothing can be said of what it would be without it."""

_RIDGE = 1e-8
"""Keeps a covariance away from singular, relative to its mean variance."""


@dataclass(frozen=True, eq=False)
class Population:
    """Polynomials of i items, normal around a common mean.

    Args:
        basis: of q monomials.
        members: shape [i, q], the posterior mean of each item's parameters.
        spread: shape [q, q], their posterior covariance, the mean over items.
        noise: variance of what a polynomial leaves over.
        left_out: shape [n], the share of items predicted to be above 0 for each of the n candidates that were fitted,
            when that candidate is left out.
    """

    basis: Basis
    members: Array
    spread: Array
    noise: float
    left_out: Array

    def share(self, coefficients: Array) -> Array:
        """Return the expected share of items whose value is above 0, shape [n], for candidates [n, k].

        The mean over items of Phi(f' members / sqrt(f' spread f + noise)), f the features of the candidate.
        """
        features = self.basis(coefficients)
        sd = np.sqrt(np.maximum(np.sum(features @ self.spread * features, axis=1), 0.0) + self.noise)
        total = np.zeros(len(features))
        for start in range(0, len(self.members), _BLOCK):
            total += ndtr(features @ self.members[start : start + _BLOCK].T / sd[:, None]).sum(axis=1)
        return total / len(self.members)


@dataclass(frozen=True, slots=True, eq=False)
class _Prior:
    """What an item's parameters are before it is looked at: normal; values are that plus noise."""

    mean: Array
    covariance: Array
    noise: float


def learn_population(coefficients: Array, values: NDArray[np.float32], degree: int) -> Population:
    """Learn a population of polynomials, and each of its members, from values of single items.

        value of item i at c = f(c)' b_i + noise,    b_i ~ N(mean, covariance)

    Mean, covariance and noise are learnt by expectation maximisation; an item that few candidates saw stays near the
    mean. Leaving a candidate out takes its values off the members and off the mean.

    Args:
        coefficients: shape [n, k].
        values: shape [n, i], NaN where a candidate did not see an item.
        degree: of the polynomials, up to 3.

    Source: empirical Bayes for linear mixed models, Laird and Ware, Biometrics 38 (1982).
    """
    basis = Basis.of(coefficients, degree)
    told = _Told.of(basis(coefficients), values)
    count, side = values.shape[1], len(basis.size)
    subset = np.unique(np.linspace(0, count - 1, min(_SUBSET, count)).astype(np.int64))
    some = told.of_items(subset)
    prior = _first_guess(basis, some)
    for _ in range(_STEPS):
        prior = _better(prior, some)
    for _ in range(_LAST_STEPS if count > len(subset) else 0):
        prior = _better(prior, told)
    members, spread = np.empty((count, side)), np.zeros((side, side))
    alone, sd = np.empty(values.shape), np.empty(values.shape)
    outer = _outer(told.features)
    for start in range(0, count, _BLOCK):
        part = slice(start, start + _BLOCK)
        precisions, pulls = _posterior(prior, told.of_items(part))
        covariances = np.linalg.inv(precisions)
        members[part] = np.einsum("iqr,ir->iq", covariances, pulls)
        spread += covariances.sum(axis=0)
        there, known = told.there[:, part], told.known[:, part]
        at = told.features @ members[part].T
        around = np.maximum(outer @ covariances.reshape(-1, side * side).T, 0.0)
        # Without its own value a prediction falls short of that value by 1 / (1 - leverage) times as much.
        kept = np.where(there > 0.0, np.maximum(1.0 - around / prior.noise, 1e-9), 1.0)
        alone[:, part] = np.where(there > 0.0, known - (known - at) / kept, at)
        sd[:, part] = np.sqrt(around / kept + prior.noise)
    alone -= _pull_on_the_mean(told, told.known - alone)[:, None]
    share = np.asarray(ndtr(alone / sd).mean(axis=1))
    return Population(basis, members, spread / count, prior.noise, share)


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """Values of items, and what of them never changes while a population is learnt.

    Args:
        features: shape [n, q].
        there: shape [n, i], 1 where a value is known, else 0.
        known: shape [n, i], the values, 0 where not known.
        grams: shape [i, q, q], of the features of the candidates that each item's values come from.
    """

    features: Array
    there: Array
    known: Array
    grams: Array

    @classmethod
    def of(cls, features: Array, values: NDArray[np.float32]) -> "_Told":
        there = (~np.isnan(values)).astype(np.float64)
        side = features.shape[1]
        grams = (there.T @ _outer(features)).reshape(-1, side, side)
        return cls(features, there, np.where(there > 0.0, values, 0.0).astype(np.float64), grams)

    def of_items(self, items: NDArray[np.int64] | slice) -> "_Told":
        return _Told(self.features, self.there[:, items], self.known[:, items], self.grams[items])


def _outer(features: Array) -> Array:
    """Return the products of all pairs of features, shape [n, q * q]."""
    return np.asarray((features[:, :, None] * features[:, None, :]).reshape(len(features), -1))


def _pull_on_the_mean(told: _Told, residuals: Array) -> Array:
    """Return by how much each candidate has drawn the population's mean to what was measured there, shape [n].

    The mean is a regression on the n candidates, each weighing as many items as it saw: with leverage h and a mean
    residual r its prediction would be r h / (1 - h) further off.
    """
    count = told.there.sum(axis=1)
    mean = np.sum(told.there * residuals, axis=1) / np.maximum(count, 1.0)
    gram = (told.features * count[:, None]).T @ told.features
    gram += 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
    leverage = count * np.sum(told.features @ np.linalg.inv(gram) * told.features, axis=1)
    leverage = np.minimum(leverage, _MOST_LEVERAGE)
    return np.asarray(mean * leverage / (1.0 - leverage))


def _first_guess(basis: Basis, told: _Told) -> _Prior:
    side, features = len(basis.size), told.features
    pooled = told.grams.sum(axis=0)
    pooled += 1e-3 * np.trace(pooled) / side * np.eye(side)
    mean = np.linalg.solve(pooled, features.T @ told.known.sum(axis=1))
    squares = told.there * (told.known - (features @ mean)[:, None]) ** 2
    scatter = float(np.sum(squares)) / max(float(told.there.sum()), 1.0)
    guess = _GUESS[basis.degrees]
    return _Prior(mean, np.diag(0.9 * scatter * guess / guess.sum()), max(0.1 * scatter, 1e-9))


def _better(prior: _Prior, told: _Told) -> _Prior:
    """Do one step of expectation maximisation."""
    count = told.known.shape[1]
    precisions, pulls = _posterior(prior, told)
    members = np.linalg.solve(precisions, pulls[:, :, None])[:, :, 0]
    squares = float(np.sum(told.there * (told.known - told.features @ members.T) ** 2))
    # Covariances are the dearest part, and what they are on average is known well from some.
    covariances = np.linalg.inv(precisions[::_EVERY])
    around = float(np.sum(covariances * told.grams[::_EVERY])) / max(float(told.there[:, ::_EVERY].sum()), 1.0)
    mean = members.mean(axis=0)
    covariance = members.T @ members / count - np.outer(mean, mean) + covariances.mean(axis=0)
    return _Prior(mean, covariance, max(squares / max(float(told.there.sum()), 1.0) + around, 1e-9))


def _posterior(prior: _Prior, told: _Told) -> tuple[Array, Array]:
    """Return the precisions [i, q, q] of the items' parameters and, times these, their means [i, q]."""
    side = len(prior.mean)
    ridge = _RIDGE * max(np.trace(prior.covariance) / side, 1e-12) * np.eye(side)
    precision = np.linalg.inv(prior.covariance + ridge)
    precisions: Array = told.grams / prior.noise + precision
    return precisions, np.asarray(told.known.T @ told.features / prior.noise + precision @ prior.mean)
