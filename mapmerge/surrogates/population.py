"""One polynomial for every item of a set, each seen by few candidates: learnt together, as members of a population."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from mapmerge.records import Array
from mapmerge.surrogates.polynomial import Basis
from mapmerge.surrogates.shrunk import Shrunk, guess, regress

_SUBSET = 256
"""Items, evenly chosen, from which the population is learnt first: more of them only cost time."""

_STEPS = 8
"""Steps with those, before one with all items."""

_EVERY = 4
"""Of every so many items one has its covariance computed while the population is learnt."""

_BLOCK = 512
"""Items whose chances are computed at a time."""

_GUESS = np.array([1.0, 0.3, 0.1, 0.03])
"""Relative variances of parameters of degree 0, 1, 2 and 3, before anything is known."""

_MIDDLE_STEPS = 3
"""Steps in which the variances of the mean are learnt, within each of those."""

_TURNS = 20
"""How often mean and members are found in turn, each without the other, in the end: quick, as covariances stay."""

_UNSEEN = 1e6
"""Variance of the mean of no values."""

_RIDGE = 1e-8
"""Keeps a covariance away from singular, relative to its mean variance."""


@dataclass(frozen=True, eq=False)
class Population:
    """Polynomials of i items, normal around a common mean.

    Args:
        basis: of q monomials.
        members: shape [i, q], the posterior mean of each item's parameters.
        spread: shape [q, q], their posterior covariance, the mean over items.
        noise: variance of what a polynomial leaves over, of one item and of all items of a candidate together.
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
    """What an item's values are before it is looked at.

    Args:
        covariance: shape [q, q], of how items' parameters differ from their mean.
        noise: variance of what a polynomial leaves over of a value.
        middle: the mean, and what it misses of each candidate.
    """

    covariance: Array
    noise: float
    middle: Shrunk


def learn_population(coefficients: Array, values: NDArray[np.float32], degree: int) -> Population:
    """Learn a population of polynomials, and each of its members, from values of single items.

        value of item i at c = f(c)' (mean + b_i) + stray of c + noise,    b_i ~ N(0, covariance)

    All variances are learnt by expectation maximisation. An item that few candidates saw stays near the mean. The mean
    is shrunk by itself, with a variance for squares, one for products and so on: it rests on n candidates, however many
    items they saw, and what it misses of one of them (the stray) is missed by all its items. Leaving a candidate out
    takes its values off the members and off the mean.

    Args:
        coefficients: shape [n, k].
        values: shape [n, i], NaN where a candidate did not see an item.
        degree: of the polynomials, up to 3.

    Source: empirical Bayes for linear mixed models, Laird and Ware, Biometrics 38 (1982).
    """
    basis = Basis.of(coefficients, degree)
    told = _Told.of(basis(coefficients), values)
    count = values.shape[1]
    subset = np.unique(np.linspace(0, count - 1, min(_SUBSET, count)).astype(np.int64))
    some = told.of_items(subset)
    prior = _first_guess(basis, some)
    for _ in range(_STEPS):
        prior = _better(basis, prior, some)
    if count > len(subset):
        prior = _better(basis, prior, told)
    covariances = _inverses(_precisions(prior, told))
    members = _members(prior, told, covariances)
    for _ in range(_TURNS):
        prior = replace(prior, middle=_middle(basis, prior, told, members, 1))
        members = _members(prior, told, covariances)
    middle = prior.middle
    return Population(
        basis,
        members + middle.parameters,
        covariances.mean(axis=0),
        prior.noise + middle.stray,
        _left_out(prior, told, members, covariances),
    )


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

    def without(self, middle: Shrunk) -> Array:
        """Return the values without what is common to all items, shape [n, i]; 0 where not known."""
        common = self.features @ middle.parameters + middle.strays
        return self.there * (self.known - common[:, None])

    def of_items(self, items: NDArray[np.int64] | slice) -> "_Told":
        return _Told(self.features, self.there[:, items], self.known[:, items], self.grams[items])


def _outer(features: Array) -> Array:
    """Return the products of all pairs of features, shape [n, q * q]."""
    return np.asarray((features[:, :, None] * features[:, None, :]).reshape(len(features), -1))


def _first_guess(basis: Basis, told: _Told) -> _Prior:
    side, features = len(basis.size), told.features
    pooled = told.grams.sum(axis=0)
    pooled += 1e-3 * np.trace(pooled) / side * np.eye(side)
    mean = np.linalg.solve(pooled, features.T @ told.known.sum(axis=1))
    squares = told.there * (told.known - (features @ mean)[:, None]) ** 2
    scatter = float(np.sum(squares)) / max(float(told.there.sum()), 1.0)
    relative = _GUESS[basis.degrees]
    covariance, noise = np.diag(0.9 * scatter * relative / relative.sum()), max(0.1 * scatter, 1e-9)
    by_kind, stray = guess(mean, basis.kinds, noise)
    nothing = np.zeros(len(features))
    prior = _Prior(covariance, noise, Shrunk(mean, nothing, nothing, by_kind, stray))
    return replace(prior, middle=_middle(basis, prior, told, np.zeros((told.known.shape[1], side)), _MIDDLE_STEPS))


def _better(basis: Basis, prior: _Prior, told: _Told) -> _Prior:
    """Do one step of expectation maximisation."""
    precisions = _precisions(prior, told)
    rest = told.without(prior.middle)
    members = np.asarray(np.linalg.solve(precisions, (rest.T @ told.features / prior.noise)[:, :, None])[:, :, 0])
    squares = float(np.sum(told.there * (rest - told.features @ members.T) ** 2))
    # Covariances are the dearest part, and what they are on average is known well from some.
    covariances = _inverses(precisions[::_EVERY])
    around = float(np.sum(covariances * told.grams[::_EVERY])) / max(float(told.there[:, ::_EVERY].sum()), 1.0)
    covariance = members.T @ members / len(members) + covariances.mean(axis=0)
    bettered = _Prior(covariance, max(squares / max(float(told.there.sum()), 1.0) + around, 1e-9), prior.middle)
    return replace(bettered, middle=_middle(basis, bettered, told, members, _MIDDLE_STEPS))


def _precisions(prior: _Prior, told: _Told) -> Array:
    """Return the precisions of the items' parameters, shape [i, q, q]."""
    side = len(prior.covariance)
    ridge = _RIDGE * max(np.trace(prior.covariance) / side, 1e-12) * np.eye(side)
    precisions: Array = told.grams / prior.noise + np.linalg.inv(prior.covariance + ridge)
    return precisions


def _inverses(precisions: Array) -> Array:
    """Return the inverses of many precisions, shape [i, q, q]."""
    # By Cholesky's decomposition, which numpy has no inverse for: less than half the time.
    factors = torch.linalg.cholesky(torch.from_numpy(np.ascontiguousarray(precisions)))
    inverses: Array = torch.cholesky_inverse(factors).numpy()
    return inverses


def _members(prior: _Prior, told: _Told, covariances: Array) -> Array:
    """Return how the items' parameters differ from the mean, shape [i, q]."""
    pulls = told.without(prior.middle).T @ told.features / prior.noise
    return np.asarray(np.einsum("iqr,ir->iq", covariances, pulls))


def _middle(basis: Basis, prior: _Prior, told: _Told, members: Array, steps: int) -> Shrunk:
    """Return the regression of what candidates have in common: their mean values without how the items differ."""
    seen = told.there.sum(axis=1)
    differences = told.there * (told.known - told.features @ members.T)
    common = differences.sum(axis=1) / np.maximum(seen, 1.0)
    noise = np.where(seen > 0.0, prior.noise / np.maximum(seen, 1.0), _UNSEEN)
    variances = prior.middle.by_kind, prior.middle.stray
    return regress(told.features, basis.kinds, common, noise, variances, steps)


def _left_out(prior: _Prior, told: _Told, members: Array, covariances: Array) -> Array:
    """Return the expected share of items above 0, shape [n], of each candidate when it is left out."""
    rest, outer = told.without(prior.middle), _outer(told.features)
    total = np.zeros(len(rest))
    for start in range(0, len(members), _BLOCK):
        part = slice(start, start + _BLOCK)
        there, own = told.there[:, part], rest[:, part]
        at = told.features @ members[part].T
        around = np.maximum(outer @ covariances[part].reshape(-1, outer.shape[1]).T, 0.0)
        # Without its own value a prediction falls short of that value by 1 / (1 - leverage) times as much.
        kept = np.where(there > 0.0, np.maximum(1.0 - around / prior.noise, 1e-9), 1.0)
        alone = np.where(there > 0.0, own - (own - at) / kept, at) + prior.middle.left_out[:, None]
        total += ndtr(alone / np.sqrt(around / kept + prior.noise + prior.middle.stray)).sum(axis=1)
    return total / len(members)
