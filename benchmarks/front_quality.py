"""How much of the true front a run delivers: hypervolume on held-out items relative to a dense direct search.

python -m benchmarks.front_quality --study ZOO/study.yaml --evaluations 60 --seeds 3 --out FILE.json
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.direct_search import reference
from benchmarks.machine import write
from flows.pareto import find_front
from mapmerge.finished import FinishedRun
from mapmerge.fronts.choose import choose
from mapmerge.fronts.indicators import Normalisation, hypervolume


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--evaluations", type=int, nargs="+", required=True, help="budgets to try")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--reference", type=int, default=4000, help="candidates of the direct search")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    dense = reference(options.study.resolve(), options.reference, seed=0)
    gains = np.array(dense["gains"])
    unit = Normalisation.of(np.array(dense["unmerged_gains"]))
    origin = np.zeros(gains.shape[1])
    whole = hypervolume(unit.apply(gains), origin)
    few = hypervolume(unit.apply(gains[choose(gains, 50, unit)]), origin)
    results = []
    with tempfile.TemporaryDirectory() as output:
        for evaluations in options.evaluations:
            for seed in range(options.seeds):
                result = _run(options.study, output, evaluations, seed, options.overrides)
                front = FinishedRun.open(result["run_uri"])
                measured = hypervolume(unit.apply(front.normalisation.undo(front.measured_gains())), origin)
                results.append(
                    {
                        "method": result["method"],
                        "evaluations": evaluations,
                        "seed": seed,
                        "hypervolume": measured,
                        "hypervolume_ratio": measured / whole,
                        "hypervolume_ratio_50": measured / few,
                        "predicted_hypervolume": result["hypervolume"]["predicted"],
                        "interval": [result["hypervolume"]["low"], result["hypervolume"]["high"]],
                        "random_search_ratio": result["baselines"]["random_search"]["hypervolume"]["value"] / whole,
                        "r2_cv": {name: entry["r2_cv"] for name, entry in result["surrogates"].items()},
                        "paid": result["evaluations"],
                        "items_forwarded": result["items_forwarded"],
                    }
                )
                print(f"{evaluations} evaluations, seed {seed}: {results[-1]['hypervolume_ratio']:.4f}", flush=True)
    summary = [
        {
            "evaluations": evaluations,
            "median_ratio": statistics.median(ratios),
            "least_ratio": min(ratios),
            "greatest_ratio": max(ratios),
        }
        for evaluations in options.evaluations
        for ratios in [[entry["hypervolume_ratio"] for entry in results if entry["evaluations"] == evaluations]]
    ]
    write(
        options.out,
        "front_quality",
        results,
        study=options.study.resolve().parent.name,
        overrides=options.overrides,
        reference={
            "candidates": dense["candidates"],
            "front_points": len(gains),
            "hypervolume": whole,
            "hypervolume_of_best_50": few,
        },
        summary=summary,
    )


def _run(study: Path, output: str, evaluations: int, seed: int, overrides: list[str]) -> dict[str, Any]:
    run_id = f"e{evaluations}-s{seed}"
    chosen = ["method=map", f"budget.evaluations={evaluations}", f"seed={seed}", *overrides]
    uri = find_front(str(study), output, run_id, chosen)
    return dict(FinishedRun.open(uri).result)


if __name__ == "__main__":
    main()
