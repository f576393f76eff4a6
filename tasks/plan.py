"""What a run would do and cost, found out without measuring any candidate."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mapmerge.config import read_study
from mapmerge.records import Split
from mapmerge.study import Study
from mapmerge.threads import one_thread
from tasks.inputs import freeze, open_inputs
from tasks.resident import Blueprint, Resident

_TIMED_ITEMS = 256
_TIMED_CALLS = 4


def plan(study: str, overrides: list[str]) -> dict[str, Any]:
    """Check a study as a run would, and count what the run would measure.

    The time is extrapolated from the base model on a few items of each objective.

    Returns:
        A JSON object: what the preflight found, the rounds, totals, bytes and seconds.

    Raises:
        BadInputError: something cannot be used.
    """
    path = Path(study).expanduser().resolve()
    config, root = read_study(path, overrides), path.parent
    inputs = open_inputs(config, root)
    Study(config, inputs.objectives)
    k = len(config.experts)
    held_out = config.budget.front + (k + 3) + min(config.budget.front, config.evaluations)
    counts: dict[str, tuple[Split, int]] = {
        "design": ("search", config.design_points),
        "gate (only if a surrogate fails it)": ("search", config.evaluations - config.design_points),
        "scalars (baseline)": ("search", len(config.baselines.scalars)),
        "front and baselines (at most)": ("held_out", held_out),
    }
    items = {
        split: sum(len(evaluator) for (_, its), evaluator in inputs.evaluators.items() if its == split)
        for split in ("search", "held_out")
    }
    rounds = [
        {
            "name": name,
            "candidates": count,
            "evaluations": count * len(config.objectives),
            "items_forwarded": count * items[split],
        }
        for name, (split, count) in counts.items()
        if count
    ]
    merge_s, item_s = _timing(Resident(Blueprint(config.model_dump(mode="json"), str(root))))
    one_actor = sum(merge_s * count for _, count in counts.values()) + sum(
        item_s[objective.name] * len(inputs.evaluators[objective.name, split]) * count
        for split, count in counts.values()
        for objective in config.objectives
    )
    actors = config.compute.actors or os.cpu_count() or 1
    return {
        "study": config.name,
        "method": config.method,
        "experts": {
            name: {"relative_norm": report.relative_norm, "parameters_changed": report.changed}
            for name, report in inputs.preflight.experts.items()
        },
        "cosines": inputs.preflight.cosines.tolist(),
        "objectives": freeze(config, root, inputs)["objectives"],
        "rounds": rounds,
        "total": {key: sum(entry[key] for entry in rounds) for key in ("evaluations", "items_forwarded")},
        "bytes": {
            "checkpoints": inputs.preflight.size * (k + 1),
            "task_matrix": 4 * inputs.preflight.parameters * (k + 1),
        },
        "seconds": {
            "merge": merge_s,
            "item": item_s,
            "one_actor": one_actor,
            "actors": actors,
            "estimated": one_actor / actors,
        },
        "warnings": list(inputs.warnings),
    }


def _timing(resident: Resident) -> tuple[float, dict[str, float]]:
    """Return the seconds of one merge and, for each objective, of one item; the base stands for every candidate."""
    study = resident.blueprint.study()
    base = np.zeros(len(study.experts))
    with one_thread():
        merge = _fastest(lambda: resident.model.load(base))
        model, seconds = resident.model.load(base), {}
        for objective in study.objectives:
            evaluator = resident.evaluator(objective.name, "search")
            few = np.arange(min(_TIMED_ITEMS, len(evaluator)), dtype=np.int64)
            seconds[objective.name] = _fastest(partial(evaluator.measure, model, few)) / len(few)
    return merge, seconds


def _fastest(call: Callable[[], object]) -> float:
    """Time a call a few times; the fastest is the least disturbed."""
    times = []
    for _ in range(_TIMED_CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
