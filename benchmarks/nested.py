"""Nested merging against searches over all experts at once, and against models that need no search.

    python -m benchmarks.nested --family zoos/vision-8/study.yaml --experts 4 --seeds 3 --out FILE.json

The first k experts and objectives of the family are merged. Preferences are the
even one and others spread over all that may be wanted. Every method names one merge for each preference, and the merge
is measured on all held-out items: `value` is the mean by the preference's weights of scores on the scale on which the
base is 0 and an objective's own expert 1.

`evaluations` are measurements of one candidate on one objective, or as many items: those of the search for this
preference alone. `evaluations_of_all` are those of all preferences together, each counted once. Without a search they
are what a choice by search items takes.
"""

import argparse
import json
import math
import multiprocessing
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import nested_search
from benchmarks.machine import write
from benchmarks.sample_efficiency import Found, Worker
from mapmerge.config import read_study
from mapmerge.config.nodes import owners_of
from mapmerge.fronts.indicators import Normalisation
from mapmerge.nested.building import balanced
from mapmerge.nested.choice import choose
from mapmerge.nested.cost import costs
from mapmerge.nested.grid import preference_grid
from mapmerge.nested.scale import leaf_scale
from mapmerge.nested.tree import MOST
from mapmerge.randomness import generator
from mapmerge.records import Array, Question, Split
from mapmerge.study import Study
from mapmerge.surrogates.features import parameter_count

NESTED: dict[str, list[str]] = {
    "nested": [],
    "nested-pairs": ["nested.fan_in=2"],
    "nested-similarity": ["nested.tree=similarity"],
    "nested-paper": [
        "nested.tree=paper",
        "nested.method=map",
        "nested.evaluations=20",
        "design.kind=paper-grid",
    ],
}
"""Values of the study that each tree replaces. `nested-paper`: pairs, candidates and rule of the paper's code."""

METHODS = (*NESTED, "map", "adaptive", "uniform", "best scalar", "best expert")

_MOST = {"map": 16, "adaptive": 16}
"""Experts beyond which a search over all at once is left out: it would take longer than all others together."""


@dataclass(frozen=True, order=True)
class Row:
    """One method on the first k experts."""

    k: int
    method: str
    seed: int


@lru_cache(maxsize=1)
def worker_of(family: Path, k: int) -> Worker:
    """Return this process's worker for the first k experts and objectives of a family."""
    whole = yaml.safe_load(family.read_text(encoding="utf-8"))
    first = [f"{key}={json.dumps(whole[key][:k])}" for key in ("experts", "objectives")]
    return Worker(family, [f"name=first-{k}", *first])


def run(family: Path, row: Row, preferences: int) -> list[dict[str, Any]]:
    """Find a merge for every preference, and measure what they are worth."""
    worker = worker_of(family, row.k)
    wanted = preference_grid(preferences, row.k)
    if row.method in NESTED:
        merges, counts, whole = _nested(worker, row, wanted)
    elif row.method in ("map", "adaptive"):
        merges, counts, whole = _at_once(worker, row, wanted)
    else:
        merges, counts, whole = _without(worker, row, wanted)
    values = _values(worker, merges, wanted)
    return [
        {
            "k": row.k,
            "method": row.method,
            "seed": row.seed,
            "preference": number,
            "weights": weights.round(6).tolist(),
            "value": value,
            "evaluations": count,
            "evaluations_of_all": whole,
        }
        for number, (weights, value, count) in enumerate(zip(wanted, values, counts, strict=True))
    ]


def _nested(worker: Worker, row: Row, wanted: Array) -> tuple[Array, list[int], int]:
    names = [objective.name for objective in worker.objectives]
    merges, counts = [], []
    seen: dict[tuple[bytes, ...], float] = {}
    for weights in wanted:
        preference = dict(zip(names, weights.tolist(), strict=True))
        given = [f"nested.preferences={json.dumps([preference])}", f"seed={row.seed}", *NESTED[row.method]]
        study, settled = nested_search.merged(worker, given)
        merges.append(settled[0])
        mine = _costs(worker, study)
        counts.append(round(sum(mine.values())))
        seen |= mine
    return np.array(merges), counts, round(sum(seen.values()))


def _costs(worker: Worker, study: Study) -> dict[tuple[bytes, ...], float]:
    """Return for everything that was measured what share of the objective's items it took."""
    sizes = dict(zip(study.brief.names, worker.items, strict=True))
    costs: dict[tuple[bytes, ...], float] = {}
    for each in study.history.asked:
        items = b"" if each.sample is None else each.sample.items.tobytes()
        share = 1.0 if each.sample is None else len(each.sample.items) / sizes[each.objective]
        costs[each.coefficients.tobytes(), each.objective.encode(), items] = share
    return costs


def _at_once(worker: Worker, row: Row, wanted: Array) -> tuple[Array, list[int], int]:
    """Search over all experts: `map` with 2p candidates, `adaptive` for what the default tree costs."""
    tree = balanced([expert.name for expert in worker.config.experts], fan_in=MOST)
    nodes = sum(cost.evaluations for cost in costs(tree, owners_of(worker.config)).values())
    units = 2 * parameter_count(row.k) if row.method == "map" else math.ceil(nodes / row.k)
    given = [f"method={row.method}", f"budget.evaluations={units}", f"seed={row.seed}"]
    config = read_study(worker.study, [*worker.overrides, *given])
    found: Found = worker.drive(Study(config, worker.objectives, worker.items, worker.held_out))
    scale = _scale(worker, "search")
    rng = generator(row.seed, "choose")
    merges = [choose(found.surfaces.trusted(), weights, scale, rule="mean", rng=rng) for weights in wanted]
    count = round(found.study.brief.spent(found.study.history) / found.study.brief.unit * len(worker.objectives))
    return np.array(merges), [count] * len(wanted), count


def _without(worker: Worker, row: Row, wanted: Array) -> tuple[Array, list[int], int]:
    """Take models that need no search; of several the one that the search items prefer."""
    k = row.k
    rows = {
        "uniform": np.full((1, k), 1.0 / k),
        "best scalar": np.array(worker.config.baselines.scalars)[:, None] * np.ones(k),
        "best expert": np.eye(k),
    }[row.method]
    count = len(rows) * k if len(rows) > 1 else 0
    worth = _scale(worker, "search").apply(_gains(worker, rows, "search")) @ wanted.T
    return rows[worth.argmax(axis=0)], [count] * len(wanted), count


def _values(worker: Worker, merges: Array, wanted: Array) -> list[float]:
    scores = _scale(worker, "held_out").apply(_gains(worker, merges, "held_out"))
    return [float(value) for value in (scores * wanted).sum(axis=1)]


def _scale(worker: Worker, split: Split) -> Normalisation:
    """Return the scale from the base to each objective's own expert."""
    experts = [expert.name for expert in worker.config.experts]
    own = [experts.index(owner) for owner in owners_of(worker.config).values() if owner is not None]
    gains = _gains(worker, np.vstack([np.zeros((1, len(experts))), np.eye(len(experts))]), split)
    return leaf_scale(gains[0], gains[1:][own, np.arange(len(own))])


def _gains(worker: Worker, rows: Array, split: Split) -> Array:
    """Measure candidates [n, k] on all items: gains [n, m]."""
    scores = np.array([each.score for each in worker.measure(Question("all", split, rows))], dtype=np.float64)
    gains: Array = scores.reshape(len(rows), -1) * [each.metric.sign for each in worker.objectives]
    return gains


def summary(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each method costs and is worth, over preferences and seeds."""
    entries = []
    for k, method in dict.fromkeys((one["k"], one["method"]) for one in results):
        rows = [one for one in results if (one["k"], one["method"]) == (k, method)]
        by_seed = [[one["value"] for one in rows if one["seed"] == seed] for seed in {one["seed"] for one in rows}]
        means = [statistics.fmean(values) for values in by_seed]
        evaluations = statistics.fmean(one["evaluations"] for one in rows)
        entries.append(
            {
                "k": k,
                "method": method,
                "seeds": len(means),
                "value": statistics.fmean(means),
                "value_sd": statistics.stdev(means) if len(means) > 1 else None,
                "value_even": statistics.fmean(one["value"] for one in rows if one["preference"] == 0),
                "evaluations": evaluations,
                "evaluations_of_all": statistics.fmean(one["evaluations_of_all"] for one in rows),
                "constant": evaluations / (k * math.log2(k)),
            }
        )
    return entries


def _place(one: dict[str, Any]) -> tuple[int, int, int, int]:
    return one["k"], METHODS.index(one["method"]), one["seed"], one["preference"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", type=Path, required=True, help="its study file")
    parser.add_argument("--experts", type=int, required=True, help="k: the first so many of the family are merged")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated")
    parser.add_argument("--preferences", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    family, k = options.family.resolve(), options.experts
    results: list[dict[str, Any]] = []
    if options.out.is_file():
        results = json.loads(options.out.read_text(encoding="utf-8"))["results"]
    done = {Row(one["k"], one["method"], one["seed"]) for one in results}
    wanted = [
        Row(k, method, seed)
        for method in options.methods.split(",")
        for seed in range(options.seeds)
        if k <= _MOST.get(method, k)
    ]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        begun = [pool.submit(run, family, row, options.preferences) for row in wanted if row not in done]
        for one in as_completed(begun):
            found = one.result()
            results = sorted([*results, *found], key=_place)
            mean = statistics.fmean(entry["value"] for entry in found)
            about = "k = {k}, {method}, seed {seed}: ".format(**found[0])
            print(f"{about}{mean:.4f} for {found[0]['evaluations']} evaluations", flush=True)
            write(options.out, "nested", results, preferences=options.preferences, summary=summary(results))


if __name__ == "__main__":
    main()
