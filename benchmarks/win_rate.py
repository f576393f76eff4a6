"""The headline table of the MAP paper on our own models: how often a method's front beats that of a direct search.

    python -m benchmarks.win_rate --study zoos/vision-8/study.yaml --experts 4 --seeds 3 --out FILE.json

The first k experts and objectives of the study are merged, here 4. A direct search measures candidates on all search
items and keeps at most 100 that are not dominated. There are two of them:

- `even`: candidates evenly spread in the region of the default design, of which it keeps those of most hypervolume;
- `grid`: as far as the paper tells, candidates of its grid in the box [0, 1]^k, of which it keeps some drawn at random.

Every method delivers at most 100 points for as many evaluations of every objective as the poster gave MAP candidates,
and for half of them. All fronts are measured on all held-out items and compared there, with either direct search:

- `win_rate`: pairs of points, one of each front, and objectives in which the method's point is better; ties count half;
- `win_rate_strict`: the same, ties counting nothing, as on the poster;
- `hypervolume_ratio`: the method's hypervolume over that of the direct search, in units of the unmerged models;

and with candidates of `even` that lie in the method's region and that no fit has seen:

- `r2_search`, `r2_held_out`: R² of the method's surrogates, an objective, against their scores on all search items and
  on held-out ones.

Direct searches are kept beside the study. The file is written after every row, and rows that it has already stay.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import nested_search
from benchmarks.direct_search import fingerprint
from benchmarks.machine import write
from benchmarks.sample_efficiency import Found, Job, Worker
from benchmarks.surrogates import r2
from mapmerge.designs.initial import design
from mapmerge.errors import BadInputError
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume, win_rate
from mapmerge.randomness import generator
from mapmerge.records import Array, Question, Split
from mapmerge.response import ResponseSurfaces, signs
from tasks.inputs import open_inputs

POINTS = 100
"""K: the most points of a front."""

METHODS = ("map-paper", "map", "adaptive", "nested")

DIRECT = ("even", "grid")

_TESTED = 200
"""Candidates of the direct search, the first after the anchors, that surrogates are tested on."""

_FEWEST = 20
"""No R2 from fewer of them."""

_APART = 1000
"""Added to the seed of a direct search, so that no method's design has candidates of it."""


@dataclass(frozen=True)
class Poster:
    """A row of the table on the poster of arXiv 2406.07529: candidates of both, rates as shares, with deviations."""

    direct: int
    candidates: int
    win_rate: float
    win_rate_sd: float
    r2: float
    r2_sd: float


POSTER = {
    2: Poster(200, 30, 0.4981, 0.0030, 0.953, 0.018),
    3: Poster(300, 50, 0.4690, 0.0071, 0.980, 0.003),
    4: Poster(300, 60, 0.5067, 0.0244, 0.984, 0.004),
    5: Poster(500, 85, 0.5300, 0.0188, 0.941, 0.001),
    6: Poster(500, 100, 0.6071, 0.0134, 0.941, 0.030),
    7: Poster(1000, 140, 0.6342, 0.0191, 0.891, 0.024),
    8: Poster(1000, 250, 0.6558, 0.0094, 0.868, 0.028),
}


@dataclass(frozen=True, order=True)
class Row:
    """One search of the first k experts."""

    k: int
    method: str
    candidates: int
    seed: int


@lru_cache(maxsize=1)
def worker_of(study: Path, k: int) -> Worker:
    """Return this process's worker for the first k experts and objectives of a study."""
    whole = yaml.safe_load(study.read_text(encoding="utf-8"))
    first = [f"{key}={json.dumps(whole[key][:k])}" for key in ("experts", "objectives")]
    return Worker(study, [f"name=first-{k}", f"budget.front={POINTS}", *first])


def run(study: Path, row: Row) -> dict[str, Any]:
    """Do one search and compare what it delivers with the direct search."""
    worker = worker_of(study, row.k)
    direct = {name: direct_search(worker, name, POSTER[row.k].direct, row.seed) for name in DIRECT}
    about = asdict(row)
    try:
        if row.method == "nested":
            found = nested_search.search(worker, row.candidates, [f"seed={row.seed}"])
        else:
            found = worker.find(Job(row.method, row.candidates, row.seed))
    except BadInputError as refusal:  # a method may say that so few candidates are too few for it
        return about | {"refused": str(refusal).removeprefix(str(study)).strip(": ")}
    return about | _compared(worker, found, direct)


def prepare(study: Path, name: str, k: int, seed: int) -> str:
    """Measure a direct search of one seed, unless it is there, and say so."""
    found = direct_search(worker_of(study, k), name, POSTER[k].direct, seed)
    return f"k = {k}, direct search {name}, seed {seed}: {len(found['front_gains'])} points of {found['candidates']}"


def direct_search(worker: Worker, name: str, candidates: int, seed: int) -> dict[str, Any]:
    """Measure a direct search of one seed, or read it from beside the study where it was measured before."""
    family = fingerprint(open_inputs(worker.config, worker.study.parent))
    k = len(worker.config.experts)
    cache = worker.study.parent / f"{name}-search-{k}-{candidates}-{seed}.json"
    if cache.is_file():
        stored: dict[str, Any] = json.loads(cache.read_text(encoding="utf-8"))
        if stored["fingerprint"] == family:
            return stored
    kept, tested = (_even if name == "even" else _grid)(worker, candidates, _APART + seed)
    stored = {
        "fingerprint": family,
        "candidates": candidates,
        "tested": tested.tolist(),
        "tested_gains": {split: _gains(worker, tested, split).tolist() for split in ("search", "held_out")},
        "front_gains": _gains(worker, kept, "held_out").tolist(),
        "unmerged_gains": _gains(worker, np.vstack([np.zeros((1, k)), np.eye(k)]), "held_out").tolist(),
    }
    part = cache.with_suffix(".part")
    part.write_text(json.dumps(stored), encoding="utf-8")
    part.replace(cache)
    return stored


def _even(worker: Worker, candidates: int, seed: int) -> tuple[Array, Array]:
    """Return what the search of even candidates keeps, and those that surrogates are tested on."""
    found = worker.find(Job("random", candidates, seed))
    seen = found.study.history.observations.coefficients
    return found.delivered, seen[seen.shape[1] + 2 :][:_TESTED]


def _grid(worker: Worker, candidates: int, seed: int) -> tuple[Array, Array]:
    """Return what the search of the paper's grid keeps; no surrogate is tested on it."""
    k = len(worker.config.experts)
    rng = generator(seed, "direct search")
    rows = design("paper-grid", candidates, k, rng=rng, identify=False).coefficients
    front = np.flatnonzero(nondominated(_gains(worker, rows, "search")))
    return rows[rng.permutation(front)[:POINTS]], np.zeros((0, k))


def _gains(worker: Worker, rows: Array, split: Split) -> Array:
    """Measure candidates [n, k] on all items: gains [n, m]."""
    scores = np.array([each.score for each in worker.measure(Question("all", split, rows))], dtype=np.float64)
    gains: Array = scores.reshape(len(rows), len(worker.objectives)) * signs(worker.objectives)
    return gains


def _compared(worker: Worker, found: Found, direct: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Compare a method with the direct searches of its seed."""
    brief, history, nested = found.study.brief, found.study.history, found.study.config.nested
    gains = _gains(worker, found.delivered, "held_out")
    along = {key: getattr(nested, key) for key in ("preferences", "evaluations", "refine")}
    return {
        "units_spent": brief.spent(history) / brief.unit,
        "points": len(gains),
        "against": {name: _against(gains, search) for name, search in direct.items()},
        **_r2s(found.surfaces, {row.tobytes() for row in history.observations.coefficients}, direct["even"]),
        **({"nested": along} if found.study.config.method == "nested" else {}),
    }


def _against(gains: Array, direct: dict[str, Any]) -> dict[str, Any]:
    """Compare a front with that of a direct search."""
    theirs = np.array(direct["front_gains"])
    unit = Normalisation.of(np.array(direct["unmerged_gains"]))
    mine, dense = (hypervolume(unit.apply(front), np.zeros(gains.shape[1])) for front in (gains, theirs))
    return {
        "points": len(theirs),
        "win_rate": win_rate(gains, theirs, tie=0.5),
        "win_rate_strict": win_rate(gains, theirs),
        "hypervolume": mine,
        "hypervolume_direct": dense,
        "hypervolume_ratio": mine / dense,
    }


def _r2s(surfaces: ResponseSurfaces, fitted: set[bytes], direct: dict[str, Any]) -> dict[str, Any]:
    rows = np.array(direct["tested"])
    unseen = surfaces.region.contains(rows) & [row.tobytes() not in fitted for row in rows]
    count = int(unseen.sum())
    tables: dict[str, Any] = {"r2_candidates": count}
    predicted = surfaces.scores(rows[unseen]) * surfaces.signs if count else np.zeros((0, 0))
    for split, gains in direct["tested_gains"].items():
        true = np.array(gains)[unseen]
        tables[f"r2_{split}"] = (
            [r2(*pair) for pair in zip(true.T, predicted.T, strict=True)] if count >= _FEWEST else None
        )
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--experts", type=int, choices=POSTER, required=True, metavar="K", help="the first k of them")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    study = options.study.resolve()
    done: dict[Row, dict[str, Any]] = {}
    if options.out.is_file():
        before = json.loads(options.out.read_text(encoding="utf-8"))
        if (before["study"], before["k"]) != (study.parent.name, options.experts):
            raise SystemExit(f"{options.out} is about {before['k']} experts of {before['study']}: name another file")
        done = {_row(result): result for result in before["results"]}
    k, poster = options.experts, POSTER[options.experts]
    wanted = [
        Row(k, method, candidates, seed)
        for method in options.methods.split(",")
        for candidates in (poster.candidates, poster.candidates // 2)
        for seed in range(options.seeds)
    ]
    wanted = [row for row in wanted if row not in done]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        searches = itertools.product(DIRECT, sorted({row.seed for row in wanted}))
        for one in as_completed([pool.submit(prepare, study, name, k, seed) for name, seed in searches]):
            print(one.result(), flush=True)
        for searched in as_completed([pool.submit(run, study, row) for row in wanted]):
            result = searched.result()
            print(_said(result), flush=True)
            done[_row(result)] = result
            results = [done[row] for row in sorted(done)]
            about = {"study": study.parent.name, "k": k, "most_points": POINTS, "poster": asdict(poster)}
            write(options.out, "win_rate", results, **about, summary=_summary(results))


def _row(result: dict[str, Any]) -> Row:
    return Row(result["k"], result["method"], result["candidates"], result["seed"])


def _said(result: dict[str, Any]) -> str:
    said = "k = {k}, {method}, {candidates} candidates, seed {seed}: ".format(**result)
    if "refused" in result:
        return said + str(result["refused"])
    told = [
        f"win rate {against['win_rate']:.1%}, hypervolume {against['hypervolume_ratio']:.3f} against {name}"
        for name, against in result["against"].items()
    ]
    return said + "; ".join(told)


def _summary(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum seeds up."""
    groups: dict[tuple[int, str, int], list[dict[str, Any]]] = {}
    for row in results:
        groups.setdefault((row["k"], row["method"], row["candidates"]), []).append(row)
    summary = []
    for (k, method, candidates), rows in groups.items():
        whole = [row for row in rows if "refused" not in row]
        entry: dict[str, Any] = {"k": k, "method": method, "candidates": candidates, "seeds": len(whole)}
        entry["refused"] = len(rows) - len(whole)
        entry["against"] = {
            name: {
                key: _spread(row["against"][name][key] for row in whole)
                for key in ("win_rate", "win_rate_strict", "hypervolume_ratio")
            }
            for name in DIRECT
        }
        for key in ("r2_search", "r2_held_out"):
            told = [row[key] for row in whole if row[key] and None not in row[key]]
            entry[f"{key}_mean"], entry[f"{key}_least"] = _spread(map(statistics.fmean, told)), _spread(map(min, told))
        summary.append(entry)
    return summary


def _spread(values: Iterable[float]) -> dict[str, float | None] | None:
    """Return mean and standard deviation over seeds, or None where there are no values."""
    told = list(values)
    return {"mean": statistics.fmean(told), "sd": statistics.stdev(told) if len(told) > 1 else None} if told else None


if __name__ == "__main__":
    main()
