"""NSGA-III on a landscape: the one file that flips the sign, because pymoo minimises."""

import warnings
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.config import Config
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.optimize import minimize

from mapmerge.fronts.directions import directions
from mapmerge.fronts.landscape import Landscape
from mapmerge.records import Array

_GENERATIONS = 80


class _Minimised(Problem):  # type: ignore[misc]  # pymoo has no types
    def __init__(self, landscape: Landscape, objectives: int) -> None:
        corners = landscape.corners()
        super().__init__(corners.shape[1], objectives, xl=corners.min(axis=0), xu=corners.max(axis=0))
        self.landscape = landscape

    def _evaluate(self, x: Array, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        out["F"] = -self.landscape.predict(x)


class _IntoRegion(Repair):  # type: ignore[misc]  # pymoo has no types
    def _do(self, problem: _Minimised, X: Array, **kwargs: Any) -> Array:  # noqa: N803  # pymoo passes it by name
        return problem.landscape.project(X)


def nsga_search(
    landscape: Landscape,
    starts: Array,
    *,
    objectives: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Search the front with NSGA-III; every candidate is put back into the region before it is predicted.

    The whole last population is returned: the result that pymoo itself reports keeps one point for each reference
    direction that was reached, a fifth of them or fewer for four objectives and more.

    Args:
        landscape: with normalised gains; pymoo's own normalisation takes differences below 0.001 for none.
        starts: the first population, inside the region, shape [s, k].
        objectives: m.
        rng: source of the search's seed; equal generators give bit-identical results.

    Returns:
        Coefficients [s, k] and normalised gains [s, m] of the last population; they may dominate each other.

    Source: Deb and Jain, IEEE TEVC 18(4), 2014.
    """
    Config.warnings["not_compiled"] = False  # else pymoo prints to standard output where it has no compiled parts
    spread = np.vstack([np.eye(objectives), directions(max(len(starts) - objectives, 1), objectives)])
    algorithm = NSGA3(spread[: len(starts)], pop_size=len(starts), sampling=starts, repair=_IntoRegion())
    seed = int(rng.integers(2**31))
    with warnings.catch_warnings():  # pymoo silences every warning of the process and leaves it so
        result = minimize(_Minimised(landscape, objectives), algorithm, ("n_gen", _GENERATIONS), seed=seed)
    points = np.asarray(result.pop.get("X"), dtype=np.float64)
    return points, landscape.predict(points)
