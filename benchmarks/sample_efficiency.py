"""How much front each method finds for the items it puts through models.

    python -m benchmarks.sample_efficiency --study ZOO/study.yaml --methods adaptive,map,direct,bayesian \
        --units 20,40,80 --seeds 5 --out FILE.json

A unit is one evaluation of every objective on all its search items. Every method is given the same number of units for
its search, chooses at most 50 points, and these are measured on all held-out items; that last measurement is reported
apart (`held_out_items`). The hypervolume on held-out items, in units of the unmerged models, is compared with two dense
references of thousands of candidates, each with its best 50 points (see `benchmarks.direct_search`):

- `hypervolume_ratio`: one that selected on search items, as every method must;
- `hypervolume_ratio_oracle`: one that selected on the held-out items themselves, which also profits from their noise.

The second one only with `--oracle`. With `--reference 0` the reference is the union of all points that this command
delivers, chosen on the held-out items.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.direct_search import reference
from benchmarks.machine import write
from mapmerge.config import read_study
from mapmerge.config.model import StudyConfig
from mapmerge.errors import BadInputError
from mapmerge.fronts.choose import choose
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.methods.protocol import Brief
from mapmerge.records import Array, Evaluation, Metric, Question, Sample, Split
from mapmerge.response import ResponseSurfaces
from mapmerge.sampling.draw import draw
from mapmerge.study import Study
from mapmerge.surrogates.links import Link
from mapmerge.threads import one_thread
from tasks.inputs import open_inputs
from tasks.resident import Blueprint, Measured, Resident

LABELS: dict[str, list[str]] = {
    "map-paper": ["method=map", "design.kind=paper-grid", "search.kind=nsga3"],
    "adaptive-quadratic": ["method=adaptive", "adaptive.surrogate=quadratic"],
    "adaptive-gaussian-process": ["method=adaptive", "adaptive.surrogate=gaussian-process"],
    "adaptive-margins": ["method=adaptive", "adaptive.surrogate=margins"],
    "adaptive-unstratified": ["method=adaptive", "sampling.stratify=false"],
    "adaptive-all-items": ["method=adaptive", "sampling.items=all"],
    "adaptive-fixed-region": ["method=adaptive", "adaptive.grow=false"],
    "adaptive-one-round": ["method=adaptive", "adaptive.rounds=1", "adaptive.first=1"],
    "adaptive-box": ["method=adaptive", "design.kind=sobol"],
    "adaptive-race": ["method=adaptive", "adaptive.race=true"],
    "adaptive-even-items": ["method=adaptive", "adaptive.share=false"],
    "adaptive-fixed-items": ["method=adaptive", "adaptive.share=false"],
    "adaptive-whole-sets": ["method=adaptive"],
    "adaptive-unadjusted": ["method=adaptive"],
    "adaptive-identity-link": ["method=adaptive", "adaptive.surrogate=quadratic"],
    "map-sampled": ["method=map", "sampling.items=100"],
}
"""Variants by name: the values of the study that they replace. Any other name is a `method`."""


def _same_items(count: int, difficulty: Array | None, rng: np.random.Generator, *, size: int) -> Sample:
    return draw(count, None, np.random.default_rng(0), size=size)


def _as_measured(evaluations: Sequence[Evaluation], predicted: Array, size: int) -> list[Evaluation]:
    return list(evaluations)


def _whole_sets(brief: Brief) -> tuple[int, ...]:
    return brief.items


def _no_link(metric: Metric) -> Link:
    return Link("identity")


PATCHES: dict[str, tuple[str, Callable[..., Any]]] = {
    "adaptive-fixed-items": ("mapmerge.methods.samples.draw", _same_items),
    "adaptive-identity-link": ("mapmerge.surrogates.links.Link.of", _no_link),
    "adaptive-whole-sets": ("mapmerge.methods.samples.pool_sizes", _whole_sets),
    "adaptive-unadjusted": ("mapmerge.methods.surfaces.adjust", _as_measured),
}
"""What some variants replace in the library: nobody would want that in a study."""

_LEVEL = 0.9


@dataclass(frozen=True)
class Job:
    """One search."""

    label: str
    units: int
    seed: int


@dataclass(frozen=True, eq=False)
class Found:
    """What a search ended with.

    Args:
        study: with all its rounds.
        surfaces: fitted to them.
        delivered: coefficients of the points to deliver, shape [n, k].
        thinking: seconds of one core before each question.
        choosing: seconds of one core for the last fit and the choice.
    """

    study: Study
    surfaces: ResponseSurfaces
    delivered: Array
    thinking: list[float]
    choosing: float


@dataclass(eq=False)
class Worker:
    """A process that measures candidates of one study by itself."""

    study: Path
    overrides: list[str]
    _known: dict[tuple[bytes, str, Split], Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = read_study(self.study, self.overrides)
        inputs = open_inputs(self.config, self.study.parent)
        self.objectives = inputs.objectives
        self.items, self.held_out = inputs.search_items, inputs.held_out_items
        self.resident = Resident(Blueprint(self.config.model_dump(mode="json"), str(self.study.parent)))

    def configured(self, job: Job) -> StudyConfig:
        """Return the study with the method, the budget and the seed of a job."""
        chosen = LABELS.get(job.label, [f"method={job.label}"])
        return read_study(self.study, [*self.overrides, *chosen, f"budget.evaluations={job.units}", f"seed={job.seed}"])

    def find(self, job: Job) -> Found:
        """Run one search."""
        with patch(*PATCHES[job.label]) if job.label in PATCHES else nullcontext():
            return self.drive(Study(self.configured(job), self.objectives, self.items, self.held_out))

    def drive(self, study: Study) -> Found:
        """Measure what a study asks for until it asks no more, and let it choose what to deliver."""
        thinking: list[float] = []
        waiting: list[Question] = []
        with one_thread():
            while True:
                began = time.process_time()
                question = study.ask()
                thinking.append(time.process_time() - began)
                if question is not None:
                    waiting.append(question)
                elif not waiting:
                    break
                if question is None or len(waiting) >= study.overlap:
                    oldest = waiting.pop(0)
                    study.tell(oldest, self.measure(oldest))
            began = time.process_time()
            surfaces = study.fit()
            delivered = study.predict(surfaces)
            return Found(study, surfaces, delivered, thinking, time.process_time() - began)

    def search(self, job: Job) -> dict[str, Any]:
        """Run one search and measure what it delivers."""
        found = self.find(job)
        study, surfaces, delivered = found.study, found.surfaces, found.delivered
        gains = self._held_out_scores(delivered) * study.signs
        unmerged = np.vstack([np.zeros((1, study.brief.k)), np.eye(study.brief.k)])
        low, high = surfaces.intervals(delivered, _LEVEL)
        scores = gains * study.signs
        return {
            "method": job.label,
            "units": job.units,
            "seed": job.seed,
            "items_forwarded": study.brief.spent(study.history),
            "units_spent": study.brief.spent(study.history) / study.brief.unit,
            "held_out_items": len(delivered) * sum(self.held_out),
            "candidates": len(study.history.observations.coefficients),
            "rounds": len(study.history),
            "delivered": len(delivered),
            "unmerged_gains": (self._held_out_scores(unmerged) * study.signs).tolist(),
            "gains": gains.round(6).tolist(),
            "predicted_gains": (surfaces.scores(delivered) * study.signs).round(6).tolist(),
            "inside_interval": float(((scores >= low) & (scores <= high)).mean()),
            "kinds": [surrogate.kind for surrogate in surfaces.surrogates],
            "seconds_asking_mean": statistics.mean(found.thinking),
            "seconds_asking_most": max(found.thinking),
            "seconds_delivering": found.choosing,
        }

    def on_held_out(self, coefficients: Array) -> list[Evaluation]:
        """Measure candidates [n, k] on all held-out items: n times m evaluations, objective by objective each."""
        return self.measure(Question("front", "held_out", coefficients))

    def measure(self, question: Question, names: Sequence[str] = ()) -> list[Evaluation]:
        """Measure what a question asks for, on these objectives, all unless named, where it names none itself."""
        names = names or [objective.name for objective in self.objectives]
        return [self._evaluation(question, *request) for request in question.requests(names)]

    def _evaluation(self, question: Question, row: Array, name: str, sample: Sample | None) -> Evaluation:
        split, place = question.split, (row.tobytes(), name, question.split)
        drawn = None if sample is None else sample.items
        if drawn is not None or place not in self._known:
            measured = self.resident.measure(row, split, {name: sample})[0]
            assert measured.error is None, measured.error
            if drawn is None:
                self._known[place] = measured
        else:
            measured = self._known[place]
        key = f"{split}-{name}-{row.tobytes().hex()}-{b'' if drawn is None else drawn.tobytes()!r}"
        return Evaluation(key, row, name, split, measured.outcomes, sample=sample, margins=measured.margins)

    def _held_out_scores(self, coefficients: Array) -> Array:
        question = Question("front", "held_out", coefficients)
        return np.array([each.score for each in self.measure(question)]).reshape(len(coefficients), -1)


_worker: Worker


def _start(study: Path, overrides: list[str]) -> None:
    global _worker
    _worker = Worker(study, overrides)


def _search(job: Job) -> dict[str, Any]:
    try:
        return _worker.search(job)
    except BadInputError as refusal:  # a method may say that so few units are too few for it
        said = str(refusal).removeprefix(str(_worker.study)).strip(": ")
        return {"method": job.label, "units": job.units, "seed": job.seed, "refused": said}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--methods", required=True, help=f"comma-separated: methods, or {', '.join(LABELS)}")
    parser.add_argument("--units", required=True, help="comma-separated")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--reference", type=int, default=4000, help="candidates of the dense references")
    parser.add_argument("--oracle", action="store_true", help="compare with the second reference too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    study = options.study.resolve()
    splits: tuple[Split, ...] = ("search", "held_out") if options.oracle else ("search",)
    dense = {split: reference(study, options.reference, 0, split) for split in splits if options.reference}
    jobs = [
        Job(label, int(units), seed)
        for units in options.units.split(",")
        for label in options.methods.split(",")
        for seed in range(options.seeds)
    ]
    jobs.sort(key=lambda job: -job.units)  # the longest first, so that no process is left with them in the end
    table = Table(options.out, study.parent.name, options.overrides, dense)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, spawn, _start, (study, options.overrides)) as pool:
        for result in pool.map(_search, jobs):
            table.add(result)
            table.write()


class Table:
    """All results of one study, written again whenever there is one more, so that no work is lost.

    Rows that the file has already stay, but for those of the same method, units and seed.

    Args:
        out: the file.
        study: name of the study.
        overrides: values of the study that were replaced.
        dense: the references by split; empty: the union of all that was delivered.
    """

    def __init__(self, out: Path, study: str, overrides: list[str], dense: dict[Split, dict[str, Any]]) -> None:
        self.out, self.study, self.overrides, self.dense = out, study, overrides, dense
        self.rows: dict[tuple[int, str, int], dict[str, Any]] = {}
        if out.is_file():
            before = json.loads(out.read_text(encoding="utf-8"))
            if (before["study"], before["overrides"]) != (study, overrides):
                raise SystemExit(f"{out} is about {before['study']} {before['overrides']}: name another file")
            self.rows = {_place(row): row for row in before["results"]}
            # Another processor trains other weights, and so builds another family of the same name.
            for split, volume in self._whole([]).items() if dense else ():
                was = before["references"].get(split, {}).get("hypervolume_of_best_50", volume)
                if abs(was - volume) > 1e-6 * volume:
                    raise SystemExit(f"{out} is about another {study}, whose reference has {was}, not {volume}")

    def add(self, row: dict[str, Any]) -> None:
        """Take one more result."""
        self.rows[_place(row)] = row
        said = f"{row['method']}, {row['units']} units, seed {row['seed']}: "
        if "refused" in row:
            print(said + row["refused"], flush=True)
            return
        row["hypervolume"] = _volume(np.array(row["gains"]), Normalisation.of(np.array(row["unmerged_gains"])))
        asking = row["seconds_asking_mean"]
        print(f"{said}hypervolume {row['hypervolume']:.4f}, asking {asking:.2f} s", flush=True)

    def write(self) -> None:
        """Write the table and its summary."""
        done = [row for row in self.rows.values() if "refused" not in row]
        whole = self._whole(done)
        for row in done:
            volume = row["hypervolume"]
            row["hypervolume_ratio"] = volume / whole["search"]
            row["hypervolume_ratio_oracle"] = volume / whole["held_out"] if "held_out" in whole else None
            if "predicted_gains" in row:
                unit = Normalisation.of(np.array(row["unmerged_gains"]))
                predicted = _volume(np.array(row.pop("predicted_gains")), unit)
                row["promised_too_much"] = predicted / volume - 1.0 if volume else None
            if self.dense:  # the union alone needs them again
                for name in ("gains", "unmerged_gains"):
                    row.pop(name, None)
        write(
            self.out,
            "sample_efficiency",
            [self.rows[place] for place in sorted(self.rows)],
            study=self.study,
            overrides=self.overrides,
            references={
                split: {
                    "candidates": self.dense[split]["candidates"] if self.dense else "union of all delivered points",
                    "hypervolume_of_best_50": volume,
                }
                for split, volume in whole.items()
            },
            summary=[
                _summary(rows)
                for _, group in itertools.groupby(sorted(done, key=_place), key=lambda row: _place(row)[:2])
                for rows in [list(group)]
            ],
        )

    def _whole(self, done: list[dict[str, Any]]) -> dict[Split, float]:
        """Return the hypervolume of each reference's best 50 points."""
        if self.dense:
            return {
                split: _volume(
                    np.array(found["best_held_out_gains"]), Normalisation.of(np.array(found["unmerged_gains"]))
                )
                for split, found in self.dense.items()
            }
        union = np.vstack([row["gains"] for row in done])
        return {"search": _volume(union, Normalisation.of(np.array(done[0]["unmerged_gains"])))}


def _place(row: dict[str, Any]) -> tuple[int, str, int]:
    return row["units"], row["method"], row["seed"]


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    ratios = [row["hypervolume_ratio"] for row in rows]
    oracle = [row["hypervolume_ratio_oracle"] for row in rows]
    return {
        "method": rows[0]["method"],
        "units": rows[0]["units"],
        "seeds": len(rows),
        "median": statistics.median(ratios),
        "least": min(ratios),
        "greatest": max(ratios),
        "median_oracle": None if None in oracle else statistics.median(oracle),
        "seconds_asking_most": max(row["seconds_asking_most"] for row in rows),
    }


def _volume(gains: Array, unit: Normalisation) -> float:
    best = choose(gains, 50, unit)
    return hypervolume(unit.apply(gains[best]), np.zeros(gains.shape[1])) if len(best) else 0.0


if __name__ == "__main__":
    main()
