"""Numbers of a result by the names of experts and objectives."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mapmerge.answer.held_out import HeldOut
from mapmerge.fronts.comparisons import Comparison, FrontReport, MeasuredSet
from mapmerge.fronts.paired import paired_tests
from mapmerge.records import Array
from mapmerge.response import ResponseSurfaces
from mapmerge.study import Study


class Words:
    """Numbers by the names of experts and objectives, in the unit of each metric."""

    def __init__(self, study: Study, surfaces: ResponseSurfaces, level: float) -> None:
        self.experts = [expert.name for expert in study.config.experts]
        self.objectives = [objective.name for objective in study.objectives]
        self._surfaces, self._level = surfaces, level
        self._signs = study.signs

    def scores(self, gains: Array) -> dict[str, float]:
        """Name the scores behind gains of shape [m]."""
        return dict(zip(self.objectives, (gains * self._signs).tolist(), strict=True))

    def ids(self, rows: Array, *, first: int = 0) -> list[str]:
        """Number delivered points from p01 on, going on from `first`."""
        return [f"p{first + index + 1:02d}" for index in range(len(rows))]

    def expert(self, row: Array) -> str:
        """Name the expert whose coefficients these are."""
        return self.experts[int(np.argmax(row))]

    def points(self, rows: Array, measured: MeasuredSet) -> list[dict[str, Any]]:
        """Describe measured models: coefficients, scores and the ends of their intervals."""
        # The lower end of a score that is to be minimised is the upper end of its gain.
        ends = np.stack([measured.low * self._signs, measured.high * self._signs])
        return [
            {
                "coefficients": dict(zip(self.experts, row.tolist(), strict=True)),
                "measured": self.scores(gains),
                "low": dict(zip(self.objectives, low.tolist(), strict=True)),
                "high": dict(zip(self.objectives, high.tolist(), strict=True)),
            }
            for row, gains, low, high in zip(rows, measured.scores, ends.min(axis=0), ends.max(axis=0), strict=True)
        ]

    def delivered(self, rows: Array, measured: MeasuredSet, *, first: int = 0) -> list[dict[str, Any]]:
        """Describe delivered points, with ids that go on from `first` and with what was predicted of them."""
        ids = self.ids(rows, first=first)
        scores = self._surfaces.scores(rows)
        low, high = self._surfaces.intervals(rows, self._level)
        return [
            {
                "id": ids[index],
                **point,
                "predicted": dict(zip(self.objectives, scores[index].tolist(), strict=True)),
                "predicted_low": dict(zip(self.objectives, low[index].tolist(), strict=True)),
                "predicted_high": dict(zip(self.objectives, high[index].tolist(), strict=True)),
            }
            for index, point in enumerate(self.points(rows, measured))
        ]


def baselines(
    sets: Mapping[str, Array], report: FrontReport, speak: Words, *, scalar: float, share: float
) -> dict[str, Any]:
    """Describe what the front is compared with; what could not be measured is null."""

    def points(name: str) -> list[dict[str, Any]]:
        return speak.points(sets[name], report.baselines[name]) if name in sets else []

    def point(name: str, **more: float) -> dict[str, Any] | None:
        return {**points(name)[0], **more} if name in sets else None

    volumes: dict[str, Comparison] = {comparison.baseline: comparison for comparison in report.comparisons}
    experts = {speak.expert(row): point for row, point in zip(sets.get("experts", ()), points("experts"), strict=True)}
    searched = volumes.get("random_search")
    return {
        "base": point("base"),
        "experts": experts,
        "uniform": point("uniform"),
        "best_scalar": point("best_scalar", scalar=scalar),
        "random_search": {
            "points": points("random_search"),
            "hypervolume": searched.hypervolume.to_json() if searched else None,
            "share_of_cost": share,
        },
    }


def indistinguishable(
    front: Array, sets: Mapping[str, Array], measured: HeldOut, speak: Words, level: float
) -> list[list[str]]:
    """Return for each front point the other front points, by id, and baselines that it cannot be told apart from."""
    single = {name: sets[name] for name in ("base", "uniform", "best_scalar") if name in sets}
    experts = sets.get("experts", front[:0])
    names = [*speak.ids(front), *single, *(f"expert {speak.expert(row)}" for row in experts)]
    tests = paired_tests(measured.outcomes(np.vstack([front, *single.values(), experts])))
    alike = tests.indistinguishable(level) & ~np.eye(len(names), dtype=bool)
    return [[names[column] for column in np.flatnonzero(row)] for row in alike[: len(front)]]
