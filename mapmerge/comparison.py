"""Finished runs side by side: hypervolume, GD, IGD and win rate of their measured fronts, with the noise in view."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mapmerge.errors import BadInputError
from mapmerge.finished import FinishedRun
from mapmerge.fronts.bootstrap import bootstrap_interval, bootstrap_scores
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import (
    generational_distance,
    hypervolume,
    inverted_generational_distance,
    win_rate,
)
from mapmerge.randomness import generator
from mapmerge.records import Array, Interval

LEVEL = 0.9
DRAWS = 300

INDICATORS = {"hypervolume": np.inf, "gd": np.inf, "igd": np.inf, "win_rate": 1.0}
"""What is compared, and the most it can be; the least is 0."""

EXPLANATION = (
    "Hypervolume: larger is better, 1 is every objective as good as its best unmerged model. GD and IGD: mean distance "
    "to and from the joint front of these runs, smaller is better. Win rate: share of (point, point, objective) "
    "comparisons won against the other runs. Intervals: bootstrap over the held-out items, the same for all runs."
)


def compare(runs: Sequence[FinishedRun]) -> dict[str, Any]:
    """Put the measured fronts of runs side by side.

    Everything is in the normalised units of the first run. The target of GD and IGD is what is non-dominated among all
    the fronts; the win rate of a run is its mean against each other run. One paired bootstrap gives all intervals.

    Args:
        runs: two or more, with the same objectives on the same held-out items.

    Raises:
        BadInputError: fewer than two, or the objectives or held-out items differ.
        IntegrityError: an evaluation of a front is no longer in its ledger.
    """
    if len(runs) < 2:
        raise BadInputError("give at least two runs to compare")
    for run in runs[1:]:
        _require_comparable(runs[0], run)
    unit = runs[0].normalisation
    outcomes = [run.front_outcomes() for run in runs]
    tables = [np.vstack(parts) for parts in zip(*outcomes, strict=True)]
    ends = np.cumsum([len(parts[0]) for parts in outcomes])[:-1]
    scores = np.column_stack([table.mean(axis=1, dtype=np.float64) for table in tables])
    measured = indicators(np.split(unit.apply(scores), ends))
    seeds = [int(run.result["seed"]) for run in runs]
    drawn = bootstrap_scores(tables, draws=DRAWS, rng=generator(seeds[0], "compare"))
    redrawn = np.array([indicators(np.split(unit.apply(draw), ends)) for draw in drawn])
    return {
        "level": LEVEL,
        "runs": [
            {
                "run_id": run.result["run_id"],
                "run_uri": run.result["run_uri"],
                "method": run.result["method"],
                "seed": seed,
                **{
                    name: bootstrap_interval(
                        float(measured[row, column]), redrawn[:, row, column], level=LEVEL
                    ).to_json()
                    for column, name in enumerate(INDICATORS)
                },
                "evaluations": run.result["evaluations"],
                "items_forwarded": run.result["items_forwarded"],
                "front_points": len(outcomes[row][0]),
            }
            for row, (run, seed) in enumerate(zip(runs, seeds, strict=True))
        ],
        "explanation": EXPLANATION,
    }


def indicators(fronts: Sequence[Array]) -> Array:
    """Return hypervolume, GD, IGD and win rate of each of several fronts: shape [runs, 4].

    Args:
        fronts: normalised gains, [n, m] each.

    >>> indicators([np.array([[1.0, 1.0]]), np.array([[1.0, 0.0]])]).tolist()
    [[1.0, 0.0, 0.0, 0.5], [0.0, 1.0, 1.0, 0.0]]
    """
    everything = np.vstack(fronts)
    target, origin = everything[nondominated(everything)], np.zeros(everything.shape[1])
    return np.array(
        [
            [
                hypervolume(front, origin, seconds=1e-3),
                generational_distance(front, target),
                inverted_generational_distance(front, target),
                float(np.mean([win_rate(front, other) for place, other in enumerate(fronts) if place != row])),
            ]
            for row, front in enumerate(fronts)
        ]
    )


def _interval(value: float, draws: Array, most: float) -> Interval:
    """Return a bootstrap interval without its impossible part."""
    interval = bootstrap_interval(value, draws, level=LEVEL)
    return Interval(value, max(interval.low, 0.0), min(interval.high, most))


def _require_comparable(one: FinishedRun, other: FinishedRun) -> None:
    for what, first, second in (
        ("objectives", one.result["objectives"], other.result["objectives"]),
        ("held-out items", _held_out(one), _held_out(other)),
    ):
        if first != second:
            raise BadInputError(f"{one.folder.uri} and {other.folder.uri} have different {what}: nothing to compare")


def _held_out(run: FinishedRun) -> dict[str, Any]:
    return {name: sets["held_out"]["identity"] for name, sets in run.result["provenance"]["item_sets"].items()}
