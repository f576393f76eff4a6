"""The dense reference: what thousands of direct measurements find, without any surrogate.

Half of the candidates fill the region evenly, the other half is NSGA-II on the measured scores. With `--split search`
it may look at the search items only, as every method must, and its best 50 points are then measured on held-out items.
With `--split held_out` it selects on the very items that fronts are scored on, so that it also profits from their
noise: no method can do that.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem

from benchmarks.machine import write
from mapmerge.config import StudyConfig, read_study
from mapmerge.designs.region import Region
from mapmerge.fronts.choose import choose
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation
from mapmerge.randomness import generator
from mapmerge.records import Array, Split
from mapmerge.response import signs
from tasks.inputs import Inputs, open_inputs
from tasks.pool import Pool, Work, open_pool
from tasks.resident import Blueprint

POPULATION = 200
MASS = 2.0
BEST = 50
"""As many points as a run delivers by default."""


def fingerprint(inputs: Inputs) -> str:
    """Return what is equal only for the same models, items and evaluators."""
    return hashlib.sha256(
        json.dumps(
            [
                inputs.fingerprints[0],
                list(inputs.fingerprints[1:]),
                [dict(evaluator.identity) for evaluator in inputs.evaluators.values()],
            ],
            sort_keys=True,
        ).encode()
    ).hexdigest()


class Held:
    """A study whose candidates are measured in parallel."""

    def __init__(self, study: Path) -> None:
        self.config: StudyConfig = read_study(study)
        inputs = open_inputs(self.config, study.parent)
        self.objectives = inputs.objectives
        self.names = tuple(objective.name for objective in self.objectives)
        self.signs = signs(self.objectives)
        self.k = len(self.config.experts)
        self.blueprint = Blueprint(self.config.model_dump(mode="json"), str(study.parent))
        self.fingerprint = fingerprint(inputs)

    def gains(self, pool: Pool, candidates: Array, split: Split) -> Array:
        """Measure candidates [n, k]: gains [n, m]."""
        rows: dict[bytes, list[float]] = {}
        for finished in pool.run([Work(row, split, dict.fromkeys(self.names)) for row in candidates]):
            assert all(result.outcomes is not None for result in finished.measured), finished.measured
            rows[finished.work.coefficients.tobytes()] = [
                float(result.outcomes.mean(dtype=np.float64))
                for result in finished.measured
                if result.outcomes is not None
            ]
        return np.array([rows[row.tobytes()] for row in candidates]) * self.signs


def reference(study: Path, candidates: int, seed: int, split: Split = "held_out") -> dict[str, object]:
    """Measure the dense reference, or read it from beside the study where it was measured before."""
    held = Held(study)
    name = "reference" if split == "held_out" else "reference-search"
    cache = study.parent / f"{name}-{candidates}-{seed}.json"
    if cache.is_file():
        stored: dict[str, object] = json.loads(cache.read_text())
        if stored["fingerprint"] == held.fingerprint:
            return stored
    region = Region(np.zeros(held.k), np.full(held.k, 1.6), (0.0, MASS))
    spread = region.sample(candidates // 2, generator(seed, "reference"))
    spread = np.vstack([np.zeros((1, held.k)), np.eye(held.k), spread[held.k + 1 :]])
    with open_pool(held.config.compute, held.blueprint) as pool:
        gains = held.gains(pool, spread, split)
        points = spread
        first = np.argsort(~nondominated(gains), kind="stable")[:POPULATION]
        algorithm = NSGA2(pop_size=POPULATION, sampling=spread[first], eliminate_duplicates=True)
        algorithm.setup(
            Problem(n_var=held.k, n_obj=len(held.names), xl=np.zeros(held.k), xu=np.full(held.k, 1.6)),
            termination=("n_gen", 10**6),
            seed=seed,
        )
        while len(points) < candidates:
            population = algorithm.ask()
            asked = population.get("X")
            answered = held.gains(pool, asked, split)
            population.set("F", -answered)
            for individual in population:
                individual.evaluated.update({"F", "G", "H"})
            algorithm.tell(infills=population)
            points, gains = np.vstack([points, asked]), np.vstack([gains, answered])
            print(
                f"reference: {len(points)} of {candidates} candidates, {nondominated(gains).sum()} on the front",
                flush=True,
            )
        unit = Normalisation.of(gains[: held.k + 1])
        best = points[choose(gains, BEST, unit)]
        best_gains = held.gains(pool, best, "held_out")
        unmerged = held.gains(pool, spread[: held.k + 1], "held_out")
    front = nondominated(gains)
    stored = {
        "fingerprint": held.fingerprint,
        "candidates": len(points),
        "seed": seed,
        "split": split,
        "objectives": list(held.names),
        "coefficients": points[front].tolist(),
        "gains": gains[front].tolist(),
        "best_held_out_gains": best_gains.tolist(),
        "unmerged_gains": unmerged.tolist(),
    }
    cache.write_text(json.dumps(stored))
    return stored


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--candidates", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=("search", "held_out"), default="held_out")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    write(
        options.out,
        "direct_search",
        reference(options.study.resolve(), options.candidates, options.seed, options.split),
    )
