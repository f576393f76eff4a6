"""Do the 90 % intervals of a front hold what they promise?

    python -m benchmarks.calibration --family zoos/large-4 --units 5 20 --seeds 5 --out FILE.json

The family is trained at first use (see `benchmarks.large_family`). A run searches on 1,000 items of each objective;
what it delivers, and the unmerged models, are measured on all other items that no model has seen, about 8,000. These
are cut at random into disjoint held-out sets of 1,000 items, `--cuts` times. On each set the front is reported as a run
would report it, with intervals of scores and of the hypervolume; the truth comes from all unseen items.

One held-out set is lucky or unlucky for all points at once, so coverage is a mean over held-out sets, the same ones for
all runs, and its standard error comes from their scatter, as if each were one observation. `spread` has the quantiles
of 5 and 95 % over sets: what a reader of a single one may meet. Intervals of the hypervolume take a bootstrap, so they
are made for the sets of the first `--volume-cuts` cuts only.

The truth is itself measured on N items, i of which are the held-out set: the error of the held-out score against it is
sqrt(1 - i/N) times as large as against infinitely many items. So the error is divided by that first; without this,
coverage would look better than it is (`against_all`), and against the N - i other items worse (`against_others`).

- `front`: points not dominated on the held-out set: what a reader looks at. They are chosen by the very items they are
  measured on.
- `delivered`: all delivered points.
- `hypervolume`: of the front, in units of the unmerged models on the held-out set, as in a run.
- `predicted`: intervals of the surrogates, made before any held-out measurement, against the scores of all delivered
  points on the held-out set, which is what they are to cover.
"""

import argparse
import itertools
import math
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.large_family import MEMBERS, LargeFamily, large_family
from benchmarks.machine import write
from benchmarks.sample_efficiency import Job, Worker
from mapmerge.answer.result import LEVEL
from mapmerge.fronts.comparisons import MeasuredSet, Outcomes, compare
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.randomness import generator
from mapmerge.records import Array

SEARCH = 1000
HELD_OUT = 1000


def study(family: LargeFamily) -> Path:
    """Write the study: 1,000 items to search on, all others to measure on."""
    first = {one.name: np.arange(SEARCH) for one in MEMBERS}
    rest = {one.name: np.arange(SEARCH, family.pool_size(one)) for one in MEMBERS}
    return family.study("calibration", search=first, held_out=rest)


_worker: Worker


def _start(path: Path, overrides: list[str]) -> None:
    global _worker
    _worker = Worker(path, overrides)
    _worker.held_out = (HELD_OUT,) * len(_worker.objectives)  # what a run would be reported on, and predicts


def run(job: Job, *, cuts: int, volume_cuts: int) -> list[dict[str, Any]]:
    """Run one search, and return what each held-out set says of its front."""
    found = _worker.find(job)
    delivered, brief = found.delivered, found.study.brief
    unmerged = np.vstack([np.zeros((1, brief.k)), np.eye(brief.k)])
    tables = _outcomes(_worker, np.vstack([delivered, unmerged]))
    low, high = found.surfaces.intervals(delivered, LEVEL)
    predicted = np.stack([low, high])
    sets = held_out_sets([table.shape[1] for table in tables], cuts)
    volumes = len(sets) // cuts * volume_cuts
    return [
        {
            "method": job.label,
            "units": job.units,
            "seed": job.seed,
            "held_out_set": index,
            **report(tables, len(delivered), chosen, predicted, brief.signs, volume=index < volumes),
        }
        for index, chosen in enumerate(sets)
    ]


def held_out_sets(sizes: Sequence[int], cuts: int) -> list[list[NDArray[np.int64]]]:
    """Return the items of each objective in each held-out set, the same for objectives with the same images."""
    chosen = []
    for cut in range(cuts):
        order = [
            generator(0, "cut", cut, one.source).permutation(size) for one, size in zip(MEMBERS, sizes, strict=True)
        ]
        for start in range(0, min(sizes) - HELD_OUT + 1, HELD_OUT):
            chosen.append([rows[start : start + HELD_OUT] for rows in order])
    return chosen


def _outcomes(worker: Worker, coefficients: Array) -> Outcomes:
    """Measure candidates [n, k] on all unseen items: gains of each objective, [n, i]."""
    evaluations = worker.on_held_out(coefficients)
    m = len(worker.objectives)
    tables = []
    for column, objective in enumerate(worker.objectives):
        rows = [one.outcomes for one in evaluations[column::m] if one.outcomes is not None]
        tables.append(np.stack(rows) * np.float32(objective.metric.sign))
    return tables


def report(
    tables: Outcomes,
    delivered: int,
    items: Sequence[NDArray[np.int64]],
    predicted: Array,
    signs: Array,
    *,
    volume: bool,
) -> dict[str, Any]:
    """Report the front on one held-out set as a run does, and compare with the truth.

    Args:
        tables: gains on all unseen items, [n, N] of each objective; the unmerged models come last.
        delivered: how many of the candidates were delivered.
        items: of the held-out set, for each objective.
        predicted: ends of the predicted intervals of scores, shape [2, delivered, m].
        signs: of the objectives, shape [m].
        volume: whether the interval of the hypervolume is wanted too.
    """
    seen = [table[:, rows] for table, rows in zip(tables, items, strict=True)]
    scores = _means(seen)
    kept = np.flatnonzero(nondominated(scores[:delivered]))
    unit = Normalisation.of(scores[delivered:])
    told = compare(
        [table[kept] for table in seen],
        {"delivered": [table[:delivered] for table in seen]},
        unit,
        rng=generator(0, "bootstrap"),
        draws=500 if volume else 1,  # intervals of accuracies need no redraws
        level=LEVEL,
    )
    everything = _means(tables)
    others = _means([np.delete(table, rows, axis=1) for table, rows in zip(tables, items, strict=True)])
    ratio = np.sqrt(1.0 - np.array([HELD_OUT / table.shape[1] for table in tables]))
    truth = scores - (scores - everything) / ratio
    true_volume = hypervolume(unit.apply(truth[kept]), np.zeros(len(tables)))
    edges = np.sort(predicted * signs, axis=0)
    return {
        "points": len(kept),
        "front": _inside(told.front, truth[kept]),
        "truth_less_measured": (truth[kept] - scores[kept]).mean(axis=0).tolist(),
        "delivered": _inside(told.baselines["delivered"], truth[:delivered]),
        "against_all": _inside(told.baselines["delivered"], everything[:delivered]),
        "against_others": _inside(told.baselines["delivered"], others[:delivered]),
        "predicted": ((edges[0] <= scores[:delivered]) & (scores[:delivered] <= edges[1])).mean(axis=0).tolist(),
        "hypervolume": told.front.hypervolume.to_json() | {"truth": true_volume} if volume else None,
    }


def _means(tables: Outcomes) -> Array:
    return np.column_stack([table.mean(axis=1, dtype=np.float64) for table in tables])


def _inside(told: MeasuredSet, truth: Array) -> list[float]:
    """Return the share of points whose interval holds the truth, by objective."""
    shares: list[float] = ((told.low <= truth) & (truth <= told.high)).mean(axis=0).tolist()
    return shares


KINDS = ("front", "delivered", "against_all", "against_others", "predicted")


def summary(results: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the coverage of each kind of interval by objective and over all, with its standard error over sets."""
    entries = []
    for method, units in dict.fromkeys((one["method"], one["units"]) for one in results):
        done = [one for one in results if (one["method"], one["units"]) == (method, units)]
        for kind in KINDS:
            by_set = _by_set(done, kind)
            entries.append(
                {
                    "method": method,
                    "units": units,
                    "intervals": kind,
                    **_coverage(by_set.mean(axis=1)),
                    "objectives": {name: _coverage(column) for name, column in zip(names, by_set.T, strict=True)},
                }
            )
        told = [one for one in done if one["hypervolume"]]
        if told:
            volumes = [one["hypervolume"] for one in told]
            hits = [
                {**one, "hit": [one["hypervolume"]["low"] <= truth <= one["hypervolume"]["high"]]}
                for one in told
                for truth in [one["hypervolume"]["truth"]]
            ]
            entries.append(
                {
                    "method": method,
                    "units": units,
                    "intervals": "hypervolume",
                    **_coverage(_by_set(hits, "hit")[:, 0]),
                    "truth_over_measured": float(np.mean([one["truth"] / one["value"] for one in volumes])),
                }
            )
    return entries


def _by_set(done: Sequence[dict[str, Any]], kind: str) -> Array:
    """Return coverage by held-out set and objective, [sets, m]: the mean over runs."""
    sets = sorted({one["held_out_set"] for one in done})
    return np.array([np.mean([one[kind] for one in done if one["held_out_set"] == each], axis=0) for each in sets])


def _coverage(by_set: Array) -> dict[str, Any]:
    return {
        "coverage": float(by_set.mean()),
        "standard_error": float(by_set.std(ddof=1) / math.sqrt(len(by_set))),
        "spread": np.quantile(by_set, [0.05, 0.95]).round(4).tolist(),
        "sets": len(by_set),
    }


def compact(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry a run: coverage by objective, the mean over held-out sets, and every interval of hypervolume."""
    entries = []
    for run_of in dict.fromkeys((one["method"], one["units"], one["seed"]) for one in results):
        done = [one for one in results if (one["method"], one["units"], one["seed"]) == run_of]
        means = {key: np.mean([one[key] for one in done], axis=0).round(6) for key in (*KINDS, "truth_less_measured")}
        entries.append(
            {
                **dict(zip(("method", "units", "seed"), run_of, strict=True)),
                "points": float(np.mean([one["points"] for one in done])),
                **{key: values.tolist() for key, values in means.items()},
                "hypervolumes": [one["hypervolume"] for one in done if one["hypervolume"]],
            }
        )
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", type=Path, required=True, help="folder; the family is built there if it is not")
    parser.add_argument("--methods", nargs="+", default=["adaptive"])
    parser.add_argument("--units", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cuts", type=int, default=20, help="times that the unseen items are cut into held-out sets")
    parser.add_argument("--volume-cuts", type=int, default=2, help="of them with intervals of the hypervolume")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    path = study(large_family(options.family.resolve()))
    jobs = [
        Job(method, units, seed)
        for units, method, seed in itertools.product(options.units, options.methods, range(options.seeds))
    ]
    results: list[dict[str, Any]] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, spawn, _start, (path, options.overrides)) as pool:
        for job, found in zip(
            jobs, pool.map(partial(run, cuts=options.cuts, volume_cuts=options.volume_cuts), jobs), strict=True
        ):
            results += found
            inside = float(np.mean([one["front"] for one in found]))
            print(f"{job.label}, {job.units} units, seed {job.seed}: {inside:.3f} inside", flush=True)
    write(
        options.out,
        "calibration",
        compact(results),
        family=options.family.name,
        overrides=options.overrides,
        level=LEVEL,
        objectives=[one.name for one in MEMBERS],
        summary=summary(results, [one.name for one in MEMBERS]),
    )


if __name__ == "__main__":
    main()
