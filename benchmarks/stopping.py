"""What stopping early saves and what it costs: `adaptive.min_gain` against spending the whole budget.

    python -m benchmarks.stopping --study ZOO/study.yaml --units 40 --seeds 5 --out FILE.json

For each seed the whole budget is spent once. What a search does next follows from its rounds alone, so each threshold
is asked after every round whether it would have stopped there; the front after that round is then measured on held-out
items. `regret` is the share of the hypervolume of the whole search that the stopped one does without; it is below zero
where the rest of the budget did no good. `curve` is the hypervolume after each round.

The rule looks at two rounds, so it cannot stop before them: `adaptive.first` and `adaptive.rounds` say what is spent at
least (`--set`).
"""

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import write
from benchmarks.sample_efficiency import Job, Worker
from mapmerge.config.reading import override_config
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.history import History
from mapmerge.methods.registry import method_of
from mapmerge.records import Array
from mapmerge.response import signs
from mapmerge.study import Study
from mapmerge.threads import one_blas_thread

_worker: Worker


def _start(study: Path, overrides: list[str]) -> None:
    global _worker
    _worker = Worker(study, overrides)


def run(job: Job, *, min_gains: Sequence[float]) -> list[dict[str, Any]]:
    """Run one search to its end, and say where each threshold would have ended it."""
    study = _worker.find(job).study
    brief, rounds = study.brief, study.history.rounds
    unit = Normalisation.of(_gains(np.vstack([np.zeros((1, brief.k)), np.eye(brief.k)])))
    volumes, spent = [], []
    with one_blas_thread():
        for end in range(1, len(rounds) + 1):
            history = History(brief.names, rounds[:end])
            delivered = study.method.deliver(history, study.method.fit(history))
            volumes.append(hypervolume(unit.apply(_gains(delivered)), np.zeros(len(brief.names))))
            spent.append(brief.spent(history) / brief.unit)
        ends = [stop(study, min_gain) for min_gain in min_gains]
    return [
        {
            "units": job.units,
            "seed": job.seed,
            "min_gain": min_gain,
            "rounds": end,
            "units_spent": spent[end - 1],
            "hypervolume": volumes[end - 1],
            "regret": 1.0 - volumes[end - 1] / volumes[-1],
            "curve": [{"units": units, "hypervolume": volume} for units, volume in zip(spent, volumes, strict=True)],
        }
        for min_gain, end in zip(min_gains, ends, strict=True)
    ]


def stop(study: Study, min_gain: float) -> int:
    """Return after how many rounds a finished search would have stopped with this threshold."""
    brief, rounds = study.brief, study.history.rounds
    config = override_config(study.config, [f"adaptive.min_gain={min_gain}"])
    method = method_of(replace(brief, config=config))
    for end in range(1, len(rounds)):
        if method.ask(History(brief.names, rounds[:end]), ()) is None:
            return end
    return len(rounds)


def _gains(coefficients: Array) -> Array:
    """Measure candidates [n, k] on held-out items: gains [n, m]."""
    scores = np.array([one.score for one in _worker.on_held_out(coefficients)]).reshape(len(coefficients), -1)
    return scores * signs(_worker.objectives)


def summary(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each threshold spends and loses, over seeds."""
    entries = []
    for min_gain in sorted({one["min_gain"] for one in results}):
        done = [one for one in results if one["min_gain"] == min_gain]
        regrets = [one["regret"] for one in done]
        entries.append(
            {
                "min_gain": min_gain,
                "units_spent_median": statistics.median(one["units_spent"] for one in done),
                "units_spent_least": min(one["units_spent"] for one in done),
                "units_spent_most": max(one["units_spent"] for one in done),
                "regret_mean": statistics.mean(regrets),
                "regret_median": statistics.median(regrets),
                "regret_most": max(regrets),
            }
        )
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--units", type=int, default=40)
    parser.add_argument("--min-gains", type=float, nargs="+", default=[0.0003, 0.001, 0.002, 0.004, 0.008])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    study = options.study.resolve()
    jobs = [Job("adaptive", options.units, seed) for seed in range(options.seeds)]
    results: list[dict[str, Any]] = []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, spawn, _start, (study, options.overrides)) as pool:
        for job, found in zip(jobs, pool.map(partial(run, min_gains=options.min_gains), jobs), strict=True):
            results += found
            print(f"seed {job.seed}: {[round(one['units_spent'], 1) for one in found]} units", flush=True)
    write(
        options.out,
        "stopping",
        results,
        study=study.parent.name,
        overrides=options.overrides,
        summary=summary(results),
    )


if __name__ == "__main__":
    main()
