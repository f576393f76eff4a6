"""A finished run: its points, its surfaces, and the answer to any preference, without measuring anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mapmerge.errors import BadInputError, IntegrityError, PreferenceError
from mapmerge.fronts.comparisons import Outcomes
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.preferences import UnreachableError, pick_at_least, pick_knee, pick_weights
from mapmerge.ledger.runs import RunFolder, open_run
from mapmerge.preference import Preference
from mapmerge.randomness import generator
from mapmerge.recorded import front_outcomes
from mapmerge.records import Array
from mapmerge.response import ResponseSurfaces, objective_to_json
from mapmerge.result_file import normalisation_of, read_result


@dataclass(frozen=True, slots=True, eq=False)
class FinishedRun:
    """What a complete run says.

    Args:
        folder: where it lies.
        result: the JSON object that `mapmerge run --json` prints.
        surfaces: the surrogates that its front was found on.
    """

    folder: RunFolder
    result: Mapping[str, Any]
    surfaces: ResponseSurfaces

    @staticmethod
    def open(uri: str) -> "FinishedRun":
        """Open a run by its URI.

        Raises:
            RunError: it is no run, or not complete.
            IntegrityError: its result or its surfaces are not what a run writes, or do not belong together.
        """
        folder = open_run(uri)
        result, stored = read_result(folder), folder.get_json("surfaces")
        try:
            surfaces = ResponseSurfaces.from_json(stored)
        except BadInputError as error:
            raise IntegrityError(f"{folder.uri}/surfaces.json: {error}") from error
        named = [objective_to_json(objective) for objective in surfaces.objectives]
        if surfaces.region.k != len(result["experts"]) or named != result["objectives"]:
            raise IntegrityError(f"{folder.uri}/surfaces.json: is about other experts or objectives than result.json")
        run = FinishedRun(folder, result, surfaces)
        try:
            run.normalisation  # noqa: B018
        except BadInputError as error:
            raise IntegrityError(f"{folder.uri}/result.json: hypervolume: {error}") from error
        return run

    @property
    def names(self) -> list[str]:
        """Names of the objectives."""
        return [objective["name"] for objective in self.result["objectives"]]

    def point(self, point_id: str) -> Mapping[str, Any]:
        """Return a delivered point by its id.

        Raises:
            BadInputError: there is none; says which there are.
        """
        points: dict[str, Mapping[str, Any]] = {
            point["id"]: point for point in (*self.result["front"], *self.result["dominated"])
        }
        if point_id not in points:
            front = [point["id"] for point in self.result["front"]]
            raise BadInputError(f"the run has no point {point_id!r}; its front goes from {front[0]} to {front[-1]}")
        return points[point_id]

    def rows(self) -> Iterator[list[str | float]]:
        """Yield the points as a table: a header, the front, then delivered points that turned out dominated."""
        kinds = ("predicted", "measured", "low", "high")
        header = [f"c_{name}" for name in self.result["experts"]]
        yield ["id", "on_front", *header, *(f"{name}_{kind}" for name in self.names for kind in kinds)]
        for on_front, points in ((1, self.result["front"]), (0, self.result["dominated"])):
            for point in points:
                scores = [point[kind][name] for name in self.names for kind in kinds]
                coefficients = [point["coefficients"][name] for name in self.result["experts"]]
                yield [point["id"], on_front, *coefficients, *scores]

    def pick(self, preference: Preference, *, level: float = 0.9) -> dict[str, Any]:
        """Answer a preference from the surrogates: coefficients, expected scores and their intervals.

        Weights are answered by the augmented Chebyshev scalarisation over all of the sampled region that lies near what
        was measured (see `ResponseSurfaces.trusted`), so that concave parts of the front are reached too.

        Raises:
            PreferenceError: it names no objective, or no merged model can meet it; then says the nearest that can.

        Source: Steuer and Choo, Mathematical Programming 26, 1983.
        """
        preference.require_known(self.names)
        coefficients = self._answer(preference)[None]
        scores = self.surfaces.scores(coefficients)[0]
        low, high = (ends[0] for ends in self.surfaces.intervals(coefficients, level))
        return {
            "coefficients": dict(zip(self.result["experts"], coefficients[0].tolist(), strict=True)),
            "predicted": self._named(scores),
            "predicted_low": self._named(low),
            "predicted_high": self._named(high),
            "level": level,
        }

    def _answer(self, preference: Preference) -> Array:
        landscape, normalisation = self.surfaces.trusted(), self.normalisation
        rng = generator(int(self.result["seed"]), "pick")
        if preference.knee:
            return pick_knee(landscape, normalisation, rng=rng).coefficients
        if preference.weights:
            weights = np.array([preference.weights.get(name, 0.0) for name in self.names])
            return pick_weights(landscape, weights, normalisation, rng=rng).coefficients
        signs = self.surfaces.signs
        asked = [preference.at_least.get(name) for name in self.names]
        floors = np.array(
            [-np.inf if score is None else sign * score for score, sign in zip(asked, signs, strict=True)]
        )
        try:
            return pick_at_least(landscape, floors, normalisation, rng=rng).coefficients
        except UnreachableError as error:
            nearest = self._named(error.nearest * signs)
            wanted = ", ".join(f"{name} {score:g}" for name, score in preference.at_least.items())
            reached = ", ".join(f"{name} {score:.4f}" for name, score in nearest.items())
            raise PreferenceError(
                f"no merged model in the searched region is predicted to reach {wanted}; the nearest that one can: "
                f"{reached}"
            ) from None

    @property
    def normalisation(self) -> Normalisation:
        """The units of the result: 0 the worst unmerged model, 1 the best, an objective, as gains."""
        return normalisation_of(self.result)

    def front_outcomes(self) -> Outcomes:
        """Return what every item said of the front, to be maximised: for each objective a table [n, i].

        Raises:
            IntegrityError: an evaluation is no longer in the ledger.
        """
        return front_outcomes(self.folder, self.result)

    def measured_gains(self) -> Array:
        """Return the measured front in normalised units, shape [n, m]."""
        scores = np.array([[point["measured"][name] for name in self.names] for point in self.result["front"]])
        return self.normalisation.apply(scores * self.surfaces.signs)

    def _named(self, scores: Array) -> dict[str, float]:
        return dict(zip(self.names, scores.tolist(), strict=True))
