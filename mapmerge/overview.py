"""All runs of a store for one page: where each stands, and of the newest fronts what it takes to compare any two."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mapmerge.errors import IntegrityError, MissingFileError
from mapmerge.fronts.bootstrap import bootstrap_scores
from mapmerge.fronts.comparisons import redrawn_hypervolumes
from mapmerge.ledger.canonical import content_hash
from mapmerge.ledger.listing import RunSummary, list_runs
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from mapmerge.randomness import generator
from mapmerge.recorded import front_outcomes
from mapmerge.result_file import normalisation_of, read_result

DRAWS = 300
"""Redraws of the items that all fronts are measured on."""

_DIGITS = 6
_OBJECTIVE = ("name", "metric", "direction", "lower", "upper")


def overview(store: Store, *, newest: int = 100) -> dict[str, Any]:
    """Gather what a page about all runs of a store shows.

    The hypervolume of every front is computed again on the same redraws of the items, so that the difference of any two
    runs is paired without a bootstrap for each pair. That is so for runs of one `unit`: the same objectives, held-out
    items and unmerged scores.

    Args:
        store: where the runs are.
        newest: of so many complete runs, the newest, the front is looked up.

    Returns:
        `store`, `newest`, and `runs`, the newest first: what `mapmerge runs` says, and a `front` or null.
    """
    listed = list_runs(store)[::-1]
    chosen = [run.run_id for run in listed if run.state == "complete"][:newest]
    runs = [{**run.to_json(), "front": _front(store, run) if run.run_id in chosen else None} for run in listed]
    return {"store": store.uri, "newest": newest, "runs": runs}


def _front(store: Store, run: RunSummary) -> dict[str, Any]:
    """Return the front of a run, or under `why` the reason that it cannot be shown."""
    folder = RunFolder(store, run.run_id)
    try:
        result = read_result(folder)
        redrawn = _redrawn(folder, result)
    except (IntegrityError, MissingFileError) as error:
        return {"why": str(error)}
    names, volume = [objective["name"] for objective in result["objectives"]], result["hypervolume"]
    return {
        "objectives": [{key: each[key] for key in _OBJECTIVE} for each in result["objectives"]],
        "points": [[_short(point["measured"][name]) for name in names] for point in result["front"]],
        "ids": [point["id"] for point in result["front"]],
        "ends": [[volume[end][name] for name in names] for end in ("reference_point", "ideal_point")],
        "unit": content_hash(_unit(result))[:16],
        "items": content_hash(_items(result))[:16],
        "seed": result["seed"],
        **{key: volume[key] for key in ("value", "low", "high")},
        "level": volume.get("level", 0.9),
        "redrawn": redrawn,
    }


def _redrawn(folder: RunFolder, result: Mapping[str, Any]) -> list[float] | None:
    """Return the hypervolume of a front in each redraw; None where the ledger has lost something of it.

    The redraws depend on the numbers of items alone, so they are the same for all runs of one unit.
    """
    unit = normalisation_of(result)
    try:
        tables = front_outcomes(folder, result)
    except IntegrityError:
        return None
    scores = np.column_stack([table.mean(axis=1, dtype=np.float64) for table in tables])
    drawn = bootstrap_scores(tables, draws=DRAWS, rng=generator(0, "overview"))
    _, volumes = redrawn_hypervolumes(unit.apply(scores), unit.apply(drawn))
    return [_short(volume) for volume in volumes.tolist()]


def _items(result: Mapping[str, Any]) -> dict[str, Any]:
    sets = result["provenance"]["item_sets"]
    return {name: sets[name]["held_out"]["identity"] for name in sorted(sets)}


def _unit(result: Mapping[str, Any]) -> dict[str, Any]:
    ends = {end: result["hypervolume"][end] for end in ("reference_point", "ideal_point")}
    return {"objectives": result["objectives"], "items": _items(result), **ends}


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
