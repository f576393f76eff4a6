"""What single items say of delivered points: which each gets right that the best unmerged model gets wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmerge.fronts.bootstrap import right_or_wrong
from mapmerge.frozen import frozen_study
from mapmerge.ledger.runs import RunFolder
from mapmerge.recorded import Recorded, recorded
from mapmerge.result_file import signs_of

LISTED = 12
"""Items that are listed by their number, of those gained and of those lost."""

BINS = 40
"""Columns of the picture of an item set."""


@dataclass(frozen=True, slots=True)
class Side:
    """Items on which one of two models is better: how many, where in the set, and some of them.

    Args:
        count: of all of them.
        bins: how many in each of `BINS` equal stretches of the set, or one item a stretch where there are fewer.
        listed: at most `LISTED` numbers from 0, the largest differences first, then in the order of the set.
    """

    count: int
    bins: tuple[int, ...]
    listed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Contrast:
    """One delivered point against another model on the held-out items of one objective.

    Args:
        items: how many there are.
        gained: where the point is better.
        lost: where the other model is.
        right: on how many both are right; None where outcomes are not right or wrong.
    """

    items: int
    gained: Side
    lost: Side
    right: int | None


@dataclass(frozen=True, slots=True)
class Rival:
    """The best unmerged model of an objective: its name, and its score."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class ObjectiveItems:
    """What the items of one objective say.

    Args:
        rival: what points are set against; None where no unmerged model was measured.
        keys: of each delivered point's evaluation, in the order of `delivered`.
        contrasts: of each delivered point; None where the ledger has lost one of the two evaluations.
    """

    rival: Rival | None
    keys: tuple[str, ...]
    contrasts: tuple[Contrast | None, ...]


ItemTable = Mapping[str, ObjectiveItems]
"""By objective."""


def delivered(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the points that a result delivers: the front, then what turned out to be dominated."""
    return [*result["front"], *result.get("dominated", ())]


def look_up(folder: RunFolder, result: Mapping[str, Any]) -> dict[str, ObjectiveItems]:
    """Look up in the ledger what single items said of the delivered points of a run.

    Args:
        folder: the run.
        result: its result.

    Raises:
        IntegrityError: the run's study cannot be read, or is about something else than its result.
    """
    frozen, points = frozen_study(folder), delivered(result)
    found = {}
    for objective, sign in zip(result["objectives"], signs_of(result), strict=True):
        name = objective["name"]
        best = _best_unmerged(result, name, sign)
        models = points if best is None else [*points, best[1]]
        measured = recorded(folder, frozen, models, name)
        mine, other = measured[: len(points)], None if best is None else measured[-1].outcomes
        found[name] = ObjectiveItems(
            None if best is None else Rival(best[0], float(best[1]["measured"][name])),
            tuple(each.key for each in mine),
            tuple(_against(each, other, sign) for each in mine),
        )
    return found


def contrast(mine: NDArray[np.floating], other: NDArray[np.floating]) -> Contrast:
    """Compare two models item by item.

    Args:
        mine: outcomes of the point, more is better, shape [i].
        other: of the other model on the same items, shape [i].

    >>> found = contrast(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.0, 1.0, 1.0, 0.0]))
    >>> found.gained.listed, found.lost.listed, found.right
    ((0,), (2,), 1)
    """
    both = np.stack([mine, other]).astype(np.float64)
    apart = both[0] - both[1]
    # A share to be minimised comes as 0 and -1: then 0 is right.
    best = 0.0 if (both < 0).any() else 1.0
    right = int((both == best).all(axis=0).sum()) if right_or_wrong(both) else None
    return Contrast(len(apart), _side(apart), _side(-apart), right)


def _against(point: Recorded, other: NDArray[np.floating] | None, sign: float) -> Contrast | None:
    if point.outcomes is None or other is None:
        return None
    return contrast(point.outcomes * sign, other * sign)


def _side(apart: NDArray[np.float64]) -> Side:
    better = np.flatnonzero(apart > 0)
    bins = np.bincount(better * min(BINS, len(apart)) // len(apart), minlength=min(BINS, len(apart)))
    most = better[np.argsort(-apart[better], kind="stable")][:LISTED]
    return Side(len(better), tuple(bins.tolist()), tuple(most.tolist()))


def _best_unmerged(result: Mapping[str, Any], objective: str, sign: float) -> tuple[str, Mapping[str, Any]] | None:
    baselines = result.get("baselines") or {}
    base = [("base model", baselines["base"])] if baselines.get("base") else []
    unmerged: Sequence[tuple[str, Mapping[str, Any]]] = [*base, *(baselines.get("experts") or {}).items()]
    return max(unmerged, key=lambda named: sign * named[1]["measured"][objective], default=None)
