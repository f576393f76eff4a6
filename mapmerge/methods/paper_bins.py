"""The adaptive sampling of the MAP paper: more candidates in those directions in which a surrogate errs most."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from mapmerge.designs.region import Region
from mapmerge.designs.sphere import angles, bins_per_angle, from_angles
from mapmerge.history import History
from mapmerge.methods.choice import predicted_best
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import affordable, cost, difficulties, fixed_counts, samples_for
from mapmerge.methods.surfaces import fit_surfaces
from mapmerge.methods.units import search_units
from mapmerge.records import Array, Question
from mapmerge.response import ResponseSurfaces
from mapmerge.surrogates.features import parameter_count

_ROUNDS = 4
"""Rounds of updates after the first round, of equal cost."""

_TEMPERATURE = 0.07
_RADII = (0.2, 0.8)


@dataclass(frozen=True, eq=False)
class PaperBins:
    """Measures half of the budget evenly, the other half where each surrogate's errors are largest.

    All objectives share the first candidates: half of what the budget has room for, at least the p that a quadratic
    needs, or `design.points`. Four rounds share the rest; in each one every objective for itself

    1. fits its quadratic to all that was measured of it and takes the squared errors of that fit;
    2. sorts its candidates into bins of directions: each of the k - 1 hyperspherical angles from 0 to pi/2 is cut in 4
       (k <= 3) or 2 (k <= 6); what has no direction (the base) or a negative coefficient is fitted, but in no bin;
    3. scores a bin by the mean of its errors plus half their standard deviation; a bin that holds nothing yet scores as
       much as the worst one;
    4. draws bins, again and again, with probability softmax(score / 0.07), and in each an even direction and an even
       radius from 0.2 to 0.8. These candidates are measured on that objective only.

    Raw squared errors of accuracies are near 0.001, for which a temperature of 0.07 makes all bins equal. So errors are
    divided by the variance of the objective's scores: a bin is e times as likely as another one if the fit leaves 7 %
    more of the variance unexplained there, in whatever unit an objective is measured, and where all is well explained
    the draw is nearly even.

    In the end the front is searched as for `map`, in the smallest box with limits to the sum that holds the study's
    region and all candidates of these rounds. `search.kind: nsga3` is the paper's search.

    Args:
        brief: the study.

    Raises:
        ConfigError: more than six experts, or the study's design cannot be made.

    Source: arXiv 2406.07529, Algorithm 3.
    """

    brief: Brief
    overlap = 1

    def __post_init__(self) -> None:
        bins_per_angle(self.brief.k)
        self.brief.first(self._opening, identify=True)

    @property
    def _total(self) -> int:
        """Evaluations of each objective that the budget has room for."""
        return self.brief.budget // cost(self.brief, fixed_counts(self.brief))

    @property
    def _opening(self) -> int:
        """How many of them the first round takes."""
        half = max(parameter_count(self.brief.k), -(-self._total // 2))
        return min(self._total, self.brief.config.design.points or half)

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the first candidates, then for each objective's updates, one question for all of them a round."""
        counts = fixed_counts(self.brief)
        if not history.rounds:
            first = self.brief.first(self._opening, identify=True).coefficients
            return Question(
                "design", "search", first, samples_for(self.brief, "design", len(first), counts), blind=True
            )
        number = len(history)
        size = min(-(-(self._total - self._opening) // _ROUNDS), affordable(self.brief, history, counts))
        if not size:
            return None
        surfaces, name = self.fit(history), f"round-{number}"
        updates = np.vstack([self._updates(history, surfaces, column, size) for column in range(len(self.brief.names))])
        hard = None if counts is None else difficulties(self.brief, history, surfaces)
        drawn = samples_for(self.brief, name, len(updates), counts, hard)
        owners = np.repeat(self.brief.names, size).tolist()
        wanted = tuple({owner: None if drawn is None else drawn[at][owner]} for at, owner in enumerate(owners))
        region = _holding(surfaces.region, updates).to_json()
        return Question(name, "search", updates, wanted, region=region)

    def _updates(self, history: History, surfaces: ResponseSurfaces, column: int, size: int) -> Array:
        """Return candidates for one objective, shape [size, k]."""
        seen, k = history.observations, self.brief.k
        there = np.flatnonzero(seen.items[:, column] > 0)
        candidates, scores = seen.coefficients[there], seen.scores[there, column]
        errors = (surfaces.surrogates[column].predict(candidates) - scores) ** 2 / (np.var(scores) or 1.0)
        chances = softmax(bin_scores(bins_of(candidates), errors, bins_per_angle(k) ** (k - 1)) / _TEMPERATURE)
        rng = self.brief.rng("bins", self.brief.names[column], len(history))
        return draw_in_bins(rng.choice(len(chances), size, p=chances), k, rng)

    def fit(self, history: History) -> ResponseSurfaces:
        """Fit one quadratic an objective, to everything that was measured of it."""
        region = self.brief.first(self._opening, identify=True).region
        for done in history.rounds[1:]:
            region = _holding(region, done.question.coefficients)
        return fit_surfaces(self.brief, history, region)

    def deliver(self, history: History, surfaces: ResponseSurfaces) -> Array:
        """Search the quadratics and choose from the front that they predict."""
        return predicted_best(self.brief, surfaces, search_units(self.brief, history, surfaces))


def bins_of(coefficients: Array) -> NDArray[np.intp]:
    """Return the bin of each candidate [n, k], or -1 where it has no direction or a negative coefficient: shape [n].

    >>> bins_of(np.array([[0.3, 0.0], [0.2, 0.2], [0.0, 0.9], [0.0, 0.0], [0.5, -0.1]])).tolist()
    [0, 2, 3, -1, -1]
    """
    each = bins_per_angle(coefficients.shape[1])
    places = np.minimum(np.floor(angles(coefficients) / (np.pi / 2) * each), each - 1).astype(np.intp)
    joint = places @ each ** np.arange(places.shape[1])
    return np.where((coefficients >= 0.0).all(axis=1) & coefficients.any(axis=1), joint, -1)


def bin_scores(bins: NDArray[np.intp], errors: Array, count: int) -> Array:
    """Return mean plus half a standard deviation of the errors in each bin; the largest of these for empty bins.

    Args:
        bins: of each candidate, -1 for none, shape [n].
        errors: of each candidate, shape [n].
        count: how many bins there are.

    Returns:
        Shape [count]; all 0 where no bin holds anything.

    >>> bin_scores(np.array([0, 0, 2, -1]), np.array([1.0, 3.0, 0.5, 99.0]), 4)
    array([2.5, 2.5, 0.5, 2.5])
    """
    inside = [errors[bins == place] for place in range(count)]
    known = {place: float(held.mean() + held.std() / 2) for place, held in enumerate(inside) if len(held)}
    worst = max(known.values(), default=0.0)
    return np.array([known.get(place, worst) for place in range(count)])


def draw_in_bins(bins: NDArray[np.intp], k: int, rng: np.random.Generator) -> Array:
    """Return one candidate in each of these bins: angles and radius uniform; shape [n, k]."""
    each = bins_per_angle(k)
    places = bins[:, None] // each ** np.arange(k - 1) % each
    directions = (places + rng.random(places.shape)) * (np.pi / 2 / each)
    return from_angles(directions, rng.uniform(*_RADII, len(bins)))


def _holding(region: Region, candidates: Array) -> Region:
    """Return the smallest region that holds a region and candidates."""
    lower = np.minimum(region.lower, candidates.min(axis=0))
    upper = np.maximum(region.upper, candidates.max(axis=0))
    if region.mass is None:
        return Region(lower, upper)
    sums = candidates.sum(axis=1)
    return Region(lower, upper, (min(region.mass[0], float(sums.min())), max(region.mass[1], float(sums.max()))))
