"""Rounds of points on the front predicted so far: measure where it matters, fit again, go on."""

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np

from mapmerge.designs.leverage import Leverage
from mapmerge.designs.region import Region
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.fronts.search import PredictedFront, SearchKind, search_front
from mapmerge.history import History, Round
from mapmerge.methods.choice import best_of
from mapmerge.methods.fits import FITS
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import affordable, auto_counts, cost, difficulties, samples_for
from mapmerge.methods.surfaces import fit_surfaces
from mapmerge.methods.uncertainty import shares, surely_dominated
from mapmerge.methods.units import search_units
from mapmerge.records import Array, Question
from mapmerge.response import ResponseSurfaces

_STEP = 0.05
"""Candidates are moved off the predicted front by so much of its width (standard deviation), for diversity."""

_PRESSING = 0.2
"""Share of the predicted front on the region's outer edge from which on the region grows."""

_GROWTH = 1.15
"""Factor by which it grows."""

_REST = "-rest"
"""End of the name of the second half of a raced round."""


@dataclass(frozen=True, eq=False)
class Adaptive:
    """Spends a first share of the budget evenly over the region, the rest in rounds near the front.

    A round takes points of the predicted front, greedy by hypervolume, moves them a little for diversity, and measures
    each on fresh items. Nothing is believed outside the trust region: a box with a limit on the sum of coefficients,
    which grows where the front presses on its edge, and inside it no point of more leverage than what was measured.

    Args:
        brief: the study.
    """

    brief: Brief
    overlap = 1
    _fitted: WeakKeyDictionary[History, ResponseSurfaces] = field(default_factory=WeakKeyDictionary, init=False)

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Ask for the first round, then for points near the predicted front, until the budget or the gain is spent."""
        counts, options = auto_counts(self.brief), self.brief.config.adaptive
        total = self.brief.budget // cost(self.brief, counts)
        first = min(total, max(round(options.first * total), self.brief.k + 3))
        if not history.rounds:
            return self._begin(first, counts)
        surfaces = self.fit(history)
        units = search_units(self.brief, history, surfaces)
        found = self._search(history, surfaces, units, "chebyshev")  # the quick half of a search will do for a round
        last = history.rounds[-1].question
        if options.race and last.wanted is not None and last.front is not None and not last.name.endswith(_REST):
            rest = self._rest(last, history, surfaces, found, units)
            if rest is not None:
                return rest
        counts = self._shared(counts, surfaces, found, units)
        left = affordable(self.brief, history, counts)
        if left <= 0:
            return None
        size = min(left, max(1, -(-(total - first) // options.rounds)))
        found = _sound(found, history)
        best = found.coefficients[best_of(found.gains, max(size, self.brief.config.budget.front), units)]
        front = best[: self.brief.config.budget.front]  # each is chosen after those before it
        if self._has_stopped(history, surfaces, front, units):
            return None
        name = f"round-{sum(not done.question.name.endswith(_REST) for done in history.rounds)}"
        region = self._grown(surfaces.region, found)
        return Question(
            name,
            "search",
            self._near(best[:size], found, region, size, name),
            samples_for(self.brief, name, size, counts, difficulties(self.brief, history, surfaces)),
            region=region.to_json(),
            front=front,
        )

    def _begin(self, size: int, counts: tuple[int, ...] | None) -> Question:
        """Return the first round, which fills the region evenly."""
        design = self.brief.first(size)
        wanted = samples_for(self.brief, "design", size, counts)
        return Question("design", "search", design.coefficients, wanted, region=design.region.to_json(), blind=True)

    def _shared(
        self, counts: tuple[int, ...] | None, surfaces: ResponseSurfaces, found: PredictedFront, units: Normalisation
    ) -> tuple[int, ...] | None:
        """Return the items of each objective for the next round: more where the front is uncertain."""
        options = self.brief.config.adaptive
        if counts is None:
            return None
        share = shares(surfaces, found.coefficients, units) if options.share else np.ones(len(counts))
        part = share / 2.0 if options.race else share
        wanted = (max(2, int(count * each)) for count, each in zip(counts, part, strict=True))
        return tuple(min(count, size) for count, size in zip(wanted, self.brief.items, strict=True))

    def _rest(
        self,
        raced: Question,
        history: History,
        surfaces: ResponseSurfaces,
        found: PredictedFront,
        units: Normalisation,
    ) -> Question | None:
        """Return the second half of a round: as many items again for the candidates that may still be worth it."""
        assert raced.wanted is not None
        first = raced.wanted[0]
        counts = tuple(
            size if sample is None else len(sample.items)
            for sample, size in zip((first[name] for name in self.brief.names), self.brief.items, strict=True)
        )
        alive = ~surely_dominated(surfaces, raced.coefficients, found.coefficients, units)
        candidates = raced.coefficients[alive][: affordable(self.brief, history, counts)]
        if len(candidates) == 0:
            return None
        name = raced.name + _REST
        wanted = samples_for(self.brief, name, len(candidates), counts, difficulties(self.brief, history, surfaces))
        return Question(name, "search", candidates, wanted, region=raced.region, front=raced.front)

    def _search(
        self, history: History, surfaces: ResponseSurfaces, units: Normalisation, kind: SearchKind
    ) -> PredictedFront:
        """Search the front inside the trust region."""
        found = search_front(surfaces.landscape(), units, rng=self.brief.rng("search", len(history)), kind=kind)
        leverage = Leverage.of(history.observations.coefficients)
        trusted = leverage(found.coefficients) <= leverage.largest
        if not trusted.any():
            return found
        return PredictedFront(found.coefficients[trusted], found.gains[trusted])

    def _near(self, best: Array, found: PredictedFront, region: Region, size: int, name: str) -> Array:
        """Return candidates [size, k] near the front: its best points by hypervolume, over and over, moved a little."""
        chosen = best[np.arange(size) % len(best)]
        width = found.coefficients.max(axis=0) - found.coefficients.min(axis=0)
        steps = self.brief.rng(name, "step").standard_normal(chosen.shape)
        return region.project(chosen + _STEP * width * steps)

    def _grown(self, region: Region, found: PredictedFront) -> Region:
        """Return the region of the next round: larger where the predicted front presses on its edge.

        Never beyond bounds that the study gives for single coefficients.
        """
        presses = region.on_outer_edge(found.coefficients).mean() > _PRESSING
        if not (self.brief.config.adaptive.grow and presses) or self.brief.config.design.upper is not None:
            return region
        mass = None if region.mass is None else (region.mass[0], region.mass[1] * _GROWTH)
        return Region(region.lower, region.upper * _GROWTH, mass)

    def _has_stopped(self, history: History, surfaces: ResponseSurfaces, today: Array, units: Normalisation) -> bool:
        """Say whether the last two rounds each gained too little for what they cost.

        The front that was predicted before a round and the one after it are compared on the surfaces of today: that is
        what the round taught, without the noise of two fits.
        """
        threshold = self.brief.config.adaptive.min_gain
        rounds = [done for done in history.rounds if not done.question.blind]
        names = [done.question.name for done in rounds if not done.question.name.endswith(_REST)]
        if threshold <= 0.0 or len(names) < 2:
            return False
        fronts = [done.question.front for done in rounds if done.question.name in names[-2:]]
        fronts.append(today)
        origin = np.zeros(len(self.brief.names))
        volumes = [
            hypervolume(units.apply(surfaces.scores(front) * surfaces.signs), origin)
            for front in fronts
            if front is not None
        ]
        gains = np.diff(volumes) / max(volumes[-1], 1e-12)
        costs = [
            self.brief.spent(History(history.objectives, tuple(done for done in rounds if _belongs(done, name))))
            for name in names[-2:]
        ]
        return bool((gains < threshold * np.array(costs) / self.brief.unit).all())

    def fit(self, history: History) -> ResponseSurfaces:
        """Fit one surrogate an objective, in the region of the last round."""
        if history in self._fitted:  # fits are dear, and several parts of a round need them
            return self._fitted[history]
        region = history.rounds[-1].question.region
        assert region is not None
        self._fitted[history] = fit_surfaces(
            self.brief, history, Region.from_json(region), FITS[self.brief.config.adaptive.surrogate]
        )
        return self._fitted[history]

    def deliver(self, history: History, surfaces: ResponseSurfaces) -> Array:
        """Search the surfaces inside the trust region and choose from the front that they predict."""
        units = search_units(self.brief, history, surfaces)
        found = self._search(history, surfaces, units, self.brief.config.search.kind)
        return found.coefficients[best_of(found.gains, self.brief.config.budget.front, units)]


def _sound(found: PredictedFront, history: History) -> PredictedFront:
    """Return the points that lie nearest to a candidate that could be measured; all where none does."""
    seen = history.observations
    failed = np.asarray(np.any(seen.failed, axis=1))
    if not failed.any():
        return found
    nearest = np.array([np.argmin(((seen.coefficients - row) ** 2).sum(axis=1)) for row in found.coefficients])
    sound = ~failed[nearest]
    return PredictedFront(found.coefficients[sound], found.gains[sound]) if sound.any() else found


def _belongs(done: Round, name: str) -> bool:
    """Say whether a round is the one of this name or the second half of it."""
    return done.question.name in (name, name + _REST)
