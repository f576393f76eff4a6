"""NSGA-III on a landscape, NSGA-II on measurements: the one file that flips the sign, because pymoo minimises."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.config import Config
from pymoo.core.duplicate import DefaultDuplicateElimination
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair
from pymoo.core.termination import NoTermination
from pymoo.optimize import minimize

from mapmerge.fronts.directions import directions
from mapmerge.fronts.landscape import Landscape
from mapmerge.records import Array

_GENERATIONS = 80

_SAME = 1e-9
"""Candidates that are nearer to each other than this count as one."""

_WORST = 1e30
"""What pymoo is told of a candidate without gains: dominated by everything that was measured."""


class _Minimised(Problem):  # type: ignore[misc]  # pymoo has no types
    def __init__(self, corners: Array, objectives: int, predict: Callable[[Array], Array] | None = None) -> None:
        super().__init__(corners.shape[1], objectives, xl=corners.min(axis=0), xu=corners.max(axis=0))
        self.predict = predict

    def _evaluate(self, x: Array, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        assert self.predict is not None
        out["F"] = -self.predict(x)


class _IntoRegion(Repair):  # type: ignore[misc]  # pymoo has no types
    def __init__(self, project: Callable[[Array], Array]) -> None:
        super().__init__()
        self.project = project

    def _do(self, problem: Problem, X: Array, **kwargs: Any) -> Array:  # noqa: N803  # pymoo passes it by name
        return self.project(X) + 0.0  # no -0.0, which would be another candidate than 0.0


class _NeverTwice(DefaultDuplicateElimination):  # type: ignore[misc]  # pymoo has no types
    """Leaves out what was asked before, also where it did not survive."""

    def __init__(self) -> None:
        super().__init__(epsilon=_SAME)
        self.asked = Population.empty()

    def do(self, pop: Population, *args: Population, **kwargs: Any) -> Population:
        return super().do(pop, *args, self.asked, **kwargs)


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
    _quiet()
    spread = np.vstack([np.eye(objectives), directions(max(len(starts) - objectives, 1), objectives)])
    repair = _IntoRegion(landscape.project)
    algorithm = NSGA3(spread[: len(starts)], pop_size=len(starts), sampling=starts, repair=repair)
    problem = _Minimised(landscape.corners(), objectives, landscape.predict)
    seed = int(rng.integers(2**31))
    with warnings.catch_warnings():  # pymoo silences every warning of the process and leaves it so
        result = minimize(problem, algorithm, ("n_gen", _GENERATIONS), seed=seed)
    points = np.asarray(result.pop.get("X"), dtype=np.float64)
    return points, landscape.predict(points)


def next_generation(
    told: Sequence[tuple[Array, Array]],
    *,
    corners: Array,
    project: Callable[[Array], Array],
    rng: np.random.Generator,
) -> Array:
    """Ask NSGA-II which candidates to measure after those that it has been told of.

    The algorithm is rebuilt from its first generation on, so that nothing but the arguments matters: with an equal
    generator the same generations give the same next one, bit for bit, and it is the one of a run that was never
    interrupted. No candidate comes twice, whether or not it survived.

    Args:
        told: coefficients [s, k] and gains [s, m] of each generation, oldest first. The first one is any population, of
            which all others take their size; they are what this function returned. Gains are NaN where a candidate
            could not be measured on every objective.
        corners: points whose bounding box holds the region, shape [c, k].
        project: any points [n, k] -> the nearest points inside the region, [n, k].
        rng: source of the algorithm's seed.

    Returns:
        Shape [n, k], n <= s: fewer only where pymoo finds no others that are new.

    Source: Deb, Pratap, Agarwal and Meyarivan, IEEE TEVC 6(2), 2002.

    >>> line = np.linspace(0.0, 1.0, 4)[:, None]
    >>> box = {"corners": np.array([[0.0], [1.0]]), "project": lambda points: np.clip(points, 0.0, 1.0)}
    >>> next_generation([(line, line)], **box, rng=np.random.default_rng(0)).shape
    (4, 1)
    """
    _quiet()
    first, gains = told[0]
    fresh = _NeverTwice()
    algorithm = NSGA2(pop_size=len(first), repair=_IntoRegion(project), eliminate_duplicates=fresh)
    problem = _Minimised(np.vstack([corners, first]), gains.shape[1])
    algorithm.setup(problem, termination=NoTermination(), seed=int(rng.integers(2**31)))
    population = Population.new("X", first)
    for _, gains in told:
        whole = np.isfinite(gains).all(axis=1, keepdims=True)
        population.set("F", np.where(whole, -gains, _WORST))
        fresh.asked = Population.merge(fresh.asked, population)
        algorithm.tell(infills=population)
        population = algorithm.ask()
        if population is None:
            return first[:0]
    return np.asarray(population.get("X"), dtype=np.float64)


def _quiet() -> None:
    Config.warnings["not_compiled"] = False  # else pymoo prints to standard output where it has no compiled parts
