"""Response surfaces: one surrogate an objective over the sampled region, ready to be searched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mapmerge.designs.leverage import Leverage
from mapmerge.designs.region import Region
from mapmerge.errors import BadInputError
from mapmerge.fronts.landscape import Landscape
from mapmerge.records import Array, Metric, Objective
from mapmerge.surrogates.features import parameter_count
from mapmerge.surrogates.protocol import Surrogate
from mapmerge.surrogates.stored import surrogate_from_json
from mapmerge.untrusted import numbers


@dataclass(frozen=True, slots=True, eq=False)
class ResponseSurfaces:
    """What every candidate of a region is predicted to score on every objective.

    Args:
        objectives: m objectives.
        surrogates: m fitted surrogates, in the same order.
        region: where candidates were measured, so where predictions may be trusted.
        covered: for each objective, how many items the measurement that intervals are to cover effectively has: see
            `methods.surfaces.effective_held_out`. None: as many as the scores that were fitted.
        measured: the candidates that were fitted, shape [s, k]. None: not known.
    """

    objectives: tuple[Objective, ...]
    surrogates: tuple[Surrogate, ...]
    region: Region
    covered: tuple[float, ...] | None = None
    measured: Array | None = None

    @property
    def signs(self) -> Array:
        """+1 for objectives to be maximised, -1 for the others: shape [m]."""
        return signs(self.objectives)

    def scores(self, coefficients: Array) -> Array:
        """Predict the score of each candidate [n, k] on each objective: shape [n, m], in the unit of the metric."""
        return np.column_stack([surrogate.predict(coefficients) for surrogate in self.surrogates])

    def intervals(self, coefficients: Array, level: float) -> tuple[Array, Array]:
        """Return the ends of intervals in which measurements on held-out items fall, [n, m] each, in the metric's unit.

        Args:
            coefficients: candidates, shape [n, k].
            level: wanted coverage, between 0 and 1.
        """
        covered = self.covered or (None,) * len(self.surrogates)
        ends = [
            surrogate.interval(coefficients, level, items=items)
            for surrogate, items in zip(self.surrogates, covered, strict=True)
        ]
        return np.column_stack([low for low, _ in ends]), np.column_stack([high for _, high in ends])

    def landscape(self) -> Landscape:
        """Return predicted gains (everything to be maximised) as the searches of `mapmerge.fronts` take them."""
        signs = self.signs
        return Landscape(
            predict=lambda coefficients: self.scores(coefficients) * signs,
            gradient=lambda coefficients: (
                np.stack([surrogate.gradient(coefficients) for surrogate in self.surrogates], axis=1) * signs[:, None]
            ),
            project=self.region.project,
            sample=self.region.sample,
        )

    def trusted(self) -> Landscape:
        """Return the landscape without the parts of the region that lie far from all that was measured.

        Left out is where a quadratic through the measured candidates is less sure than a single measurement (leverage
        above 1): the corners of a region lie far outside the cloud of candidates, the more so the more experts there
        are, and a surrogate may promise anything there. A search of the front may be bold, for its points are measured
        in the end; an answer that is taken as it is predicted must not be. Of fewer candidates than a quadratic has
        parameters none is near: then nothing is left out.
        """
        whole = self.landscape()
        if self.measured is None or len(self.measured) < parameter_count(self.measured.shape[1]):
            return whole
        retreat = Leverage.of(self.measured).retreat
        return replace(
            whole,
            project=lambda coefficients: retreat(whole.project(coefficients)),
            sample=lambda count, rng: retreat(whole.sample(count, rng)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything that `from_json` needs to give the same predictions bit for bit."""
        return {
            "objectives": [objective_to_json(objective) for objective in self.objectives],
            "surrogates": [surrogate.to_json() for surrogate in self.surrogates],
            "region": self.region.to_json(),
            "covered": None if self.covered is None else list(self.covered),
            "measured": None if self.measured is None else self.measured.tolist(),
        }

    @staticmethod
    def from_json(stored: Mapping[str, Any]) -> "ResponseSurfaces":
        """Rebuild what `to_json` gave; what was written before it told `covered` or `measured` is read without.

        Raises:
            BadInputError: a part is missing, is no such part, or does not fit the others.
        """
        covered, measured = stored.get("covered"), stored.get("measured")
        try:
            surfaces = ResponseSurfaces(
                objectives=tuple(objective_from_json(entry) for entry in _entries(stored, "objectives")),
                surrogates=tuple(surrogate_from_json(entry) for entry in _entries(stored, "surrogates")),
                region=Region.from_json(stored.get("region", {})),
                covered=None if covered is None else tuple(numbers(covered, "covered", 1).tolist()),
                measured=None if measured is None else numbers(measured, "measured", 2),
            )
            surfaces.require_fit()
        except BadInputError:
            raise
        except ValueError as error:
            raise BadInputError(f"response surfaces: {error}") from None
        return surfaces

    def require_fit(self) -> None:
        """Check that all parts are about the same objectives and experts.

        Raises:
            BadInputError: they are not.
        """
        m, k = len(self.objectives), self.region.k
        if m == 0 or len(self.surrogates) != m or (self.covered is not None and len(self.covered) != m):
            raise BadInputError(f"response surfaces: expected a surrogate for each of {m} objectives")
        if self.covered is not None and min(self.covered) <= 0.0:
            raise BadInputError("response surfaces: expected numbers of items above 0 as covered")
        if self.measured is not None and self.measured.shape[1] != k:
            raise BadInputError(f"response surfaces: expected {k} coefficients, came {self.measured.shape[1]} measured")
        with np.errstate(all="ignore"):
            scores = self.scores(self.region.lower[None])  # refuses another number of coefficients
        if not np.isfinite(scores).all():
            raise BadInputError("response surfaces: expected scores that are finite numbers")


def _entries(stored: Mapping[str, Any], name: str) -> list[Any]:
    entries = stored.get(name)
    if not isinstance(entries, list):
        raise ValueError(f"expected a list of {name}")
    return entries


def signs(objectives: Sequence[Objective]) -> Array:
    """Return +1 for each objective to be maximised and -1 for each to be minimised: shape [m].

    >>> signs([Objective("a", Metric("accuracy", 0, 1, True)), Objective("b", Metric("loss", 0, None, False))])
    array([ 1., -1.])
    """
    return np.array([objective.metric.sign for objective in objectives])


def objective_to_json(objective: Objective) -> dict[str, Any]:
    """Return an objective as the JSON object that results carry."""
    metric = objective.metric
    direction = "maximize" if metric.maximize else "minimize"
    return {
        "name": objective.name,
        "metric": metric.name,
        "direction": direction,
        "lower": metric.lower,
        "upper": metric.upper,
    }


def objective_from_json(entry: Mapping[str, Any]) -> Objective:
    """Rebuild what `objective_to_json` gave.

    Raises:
        BadInputError: it is none.

    >>> loss = Objective("r", Metric("loss", 0.0, None, False))
    >>> objective_from_json(objective_to_json(loss)) == loss
    True
    """
    match entry:
        case {
            "name": str(name),
            "metric": str(metric),
            "lower": (None | int() | float()) as lower,
            "upper": (None | int() | float()) as upper,
            "direction": ("maximize" | "minimize") as direction,
        }:
            return Objective(name, Metric(metric, lower, upper, direction == "maximize"))
    raise BadInputError("objective: expected name, metric, lower, upper and direction")
