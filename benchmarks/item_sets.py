"""What a front costs when there are more search items: item-forwards for the same hypervolume.

    python -m benchmarks.item_sets --family zoos/large-4 --seeds 5 --out FILE.json

The family is trained at first use (see `benchmarks.large_family`). For every seed the items of each objective are put
in an order of their own; a search set is its first 500, 2,000 or 8,000 items. All searches deliver at most 50 points,
which are measured on the same held-out items, in the same units.

A method that samples is given the same item-forwards an objective on every size (`--forwards`), a method that measures
all items the same number of units (`--units`), since it cannot have less of them. For each method and size the
hypervolume, a median over seeds made monotone, is a curve over item-forwards, and the item-forwards needed for some
levels are read from it (linear in their logarithm). Levels are shares of what every size reaches in the end. `ratio`
compares a size with the smallest one; its interval is a bootstrap over seeds. `greatest_ratio` compares the dearest
with the cheapest size at a level. `below_the_curve` marks a level that the smallest budget already reaches, so that
less would have done.
"""

import argparse
import itertools
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.large_family import MEMBERS, LargeFamily, Rows, large_family
from benchmarks.machine import write
from benchmarks.sample_efficiency import Job, Worker
from mapmerge.config import StudyConfig
from mapmerge.errors import BadInputError
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.randomness import generator
from mapmerge.records import Array

LEVEL = 0.9
DRAWS = 1000


@dataclass(frozen=True)
class Search:
    """One search on one item set."""

    study: Path
    method: str
    items: int
    forwards: int
    seed: int


def search(job: Search) -> dict[str, Any]:
    """Run one search and measure what it delivers."""
    worker, units = _worker(job.study), Fraction(job.forwards, job.items)
    # A study counts its budget in whole units; on large item sets less than one is more than enough here.
    with patch.object(StudyConfig, "evaluations", units):
        try:
            found = worker.search(Job(job.method, max(1, int(units)), job.seed))
        except BadInputError as refusal:  # so few items are too few for some methods
            return {**_about(job), "refused": str(refusal)}
    unit = Normalisation.of(np.array(found["unmerged_gains"]))
    gains = unit.apply(np.array(found["gains"]))
    return {
        **_about(job),
        "hypervolume": hypervolume(gains, np.zeros(gains.shape[1])),
        **{name: found[name] for name in ("items_forwarded", "held_out_items", "candidates", "rounds", "delivered")},
    }


def _about(job: Search) -> dict[str, Any]:
    return {"method": job.method, "items": job.items, "forwards": job.forwards, "seed": job.seed}


@lru_cache(maxsize=1)  # each keeps its items in memory, and the jobs of one study come one after the other
def _worker(study: Path) -> Worker:
    return Worker(study, [])


def studies(family: LargeFamily, sizes: Sequence[int], seeds: int) -> dict[tuple[int, int], Path]:
    """Write a study for each size and seed; search sets of one seed are nested, held-out items the same for all."""
    most = max(sizes)
    left = {one.name: family.pool_size(one) - most for one in MEMBERS}
    if min(left.values()) < 500:
        raise BadInputError(f"{most} search items leave {left} for held-out measurement: give at least 500 less")
    held_out: Rows = {one.name: np.arange(most, min(most + 1000, family.pool_size(one))) for one in MEMBERS}
    written = {}
    for size, seed in itertools.product(sizes, range(seeds)):
        # The whole set is the same for all seeds.
        of = 0 if size == most else seed
        order = {one.source: generator(of, "items", one.source).permutation(most) for one in MEMBERS}
        rows: Rows = {one.name: order[one.source][:size] for one in MEMBERS}
        name = f"items-{size}-{of}"
        if (size, of) not in written:
            written[size, of] = family.study(name, search=rows, held_out=held_out)
        written[size, seed] = written[size, of]
    return written


def needed(forwards: Array, volumes: Array, level: float) -> float:
    """Return the item-forwards at which a curve reaches a level; the ends of the curve where it lies beyond them.

    >>> round(needed(np.array([100.0, 400.0]), np.array([0.5, 0.7]), 0.6))
    200
    """
    rising = np.maximum.accumulate(volumes)
    rising = rising + 1e-12 * np.arange(len(rising))  # so that the inverse is one
    return float(np.exp(np.interp(level, rising, np.log(forwards))))


def summary(results: Sequence[dict[str, Any]], shares: Sequence[float]) -> list[dict[str, Any]]:
    """Return the item-forwards needed by each method and size for each level."""
    entries = []
    for method in dict.fromkeys(result["method"] for result in results if "refused" not in result):
        done = [result for result in results if result["method"] == method and "refused" not in result]
        sizes = sorted({result["items"] for result in done})
        seeds = sorted({result["seed"] for result in done})
        curves = {size: _curves(done, size, seeds) for size in sizes}
        reached = min(float(np.median(volumes, axis=0).max()) for _, volumes in curves.values())
        rng = generator(0, "seeds", method)
        draws = [rng.integers(len(seeds), size=len(seeds)) for _ in range(DRAWS)]
        for share in shares:
            level = share * reached
            costs = {
                size: np.array(
                    [
                        needed(forwards, np.median(volumes[rows], axis=0), level)
                        for rows in (np.arange(len(seeds)), *draws)
                    ]
                )
                for size, (forwards, volumes) in curves.items()
            }
            every = np.array(list(costs.values()))
            greatest = every.max(axis=0) / every.min(axis=0)
            for size, (_, volumes) in curves.items():
                ratio = costs[size] / costs[sizes[0]]
                entries.append(
                    {
                        "method": method,
                        "items": size,
                        "share_of_reached": share,
                        "hypervolume": level,
                        "forwards_needed": float(costs[size][0]),
                        "below_the_curve": bool(np.median(volumes[:, 0]) >= level),
                        "ratio": float(ratio[0]),
                        "ratio_interval": _interval(ratio[1:]),
                        "greatest_ratio": float(greatest[0]),
                        "greatest_ratio_interval": _interval(greatest[1:]),
                    }
                )
    return entries


def _interval(draws: Array) -> list[float]:
    low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return [float(low), float(high)]


def _curves(done: Sequence[dict[str, Any]], size: int, seeds: Sequence[int]) -> tuple[Array, Array]:
    """Return item-forwards an objective [b] and hypervolumes [seeds, b] of one size."""
    found = {(one["seed"], one["forwards"]): one["hypervolume"] for one in done if one["items"] == size}
    forwards = [
        spent for spent in sorted({spent for _, spent in found}) if all((seed, spent) in found for seed in seeds)
    ]
    return np.array(forwards, float), np.array([[found[seed, spent] for spent in forwards] for seed in seeds])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", type=Path, required=True, help="folder; the family is built there if it is not")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--methods", nargs="+", default=["adaptive"], help="methods that sample")
    parser.add_argument("--forwards", type=int, nargs="+", default=[1000, 1500, 2000, 3000, 4000, 6000, 8000])
    parser.add_argument("--whole", nargs="*", default=["map"], help="methods that measure all items")
    parser.add_argument("--units", type=int, nargs="+", default=[15, 30])
    parser.add_argument("--levels", type=float, nargs="+", default=[0.9, 0.95, 0.98])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    written = studies(large_family(options.family.resolve()), options.sizes, options.seeds)
    jobs = [
        Search(written[size, seed], method, size, forwards, seed)
        for (size, seed) in written
        for method, budgets in (
            *((method, options.forwards) for method in options.methods),
            *((method, [units * size for units in options.units]) for method in options.whole),
        )
        for forwards in budgets
    ]
    results = []
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for job, result in zip(jobs, pool.map(search, jobs), strict=True):
            results.append(result)
            print(f"{job.method}, {job.items} items, {job.forwards} forwards, seed {job.seed}: ", end="")
            print(result.get("refused") or f"hypervolume {result['hypervolume']:.4f}", flush=True)
    write(
        options.out,
        "item_sets",
        sorted(results, key=lambda one: (one["method"], one["items"], one["forwards"], one["seed"])),
        family=options.family.name,
        level=LEVEL,
        summary=summary(results, options.levels),
    )


if __name__ == "__main__":
    main()
