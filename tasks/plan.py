"""What a run would do and cost, found out without measuring any candidate."""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mapmerge.config import read_study
from mapmerge.methods.samples import scalar_counts
from mapmerge.records import Question, Split
from mapmerge.study import Study
from mapmerge.threads import one_thread
from tasks.inputs import Inputs, freeze, open_inputs
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
    asking = Study(config, inputs.objectives, inputs.search_items, inputs.held_out_items)
    first = asking.ask()
    assert first is not None
    rounds = [*_search_rounds(asking, first), *_final_rounds(asking, inputs, first)]
    merge_s, item_s = _timing(Resident(Blueprint(config.model_dump(mode="json"), str(root))))
    one_actor = sum(merge_s * entry["candidates"] for entry in rounds) + sum(
        item_s[name] * count for entry in rounds for name, count in entry["items"].items()
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
            "checkpoints": inputs.preflight.size * (len(config.experts) + 1),
            "task_matrix": 4 * inputs.preflight.parameters * (len(config.experts) + 1),
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


def _search_rounds(study: Study, first: Question) -> list[dict[str, Any]]:
    """Return what the search would measure: its first round, and what the budget leaves for the rest at most."""
    brief = study.brief
    sizes = dict(zip(brief.names, brief.items, strict=True))
    seen = dict.fromkeys(brief.names, 0)
    for _, name, sample in first.requests(brief.names):
        seen[name] += sizes[name] if sample is None else len(sample.items)
    candidates = len(first.coefficients)
    left = brief.budget - sum(seen.values())
    more = left * candidates // sum(seen.values())
    words = "gate (only if a surrogate fails it)" if study.config.method == "map" else "further rounds (at most)"
    rest = {name: count * more // candidates for name, count in seen.items()}
    return [_round(first.name, candidates, seen), *([_round(words, more, rest)] if more else [])]


def _final_rounds(study: Study, inputs: Inputs, first: Question) -> list[dict[str, Any]]:
    """Return what is measured besides the search: the baseline of scalars, and the front with all baselines.

    Args:
        study: nothing of it was measured.
        inputs: what is measured on.
        first: the first question of the search.
    """
    config = study.config
    scalars = len(config.baselines.scalars)
    counts = dict(zip(study.brief.names, scalar_counts(study.brief, first) or study.brief.items, strict=True))
    front = config.budget.front + (len(config.experts) + 3) + min(config.budget.front, config.evaluations)

    def of(split: Split, candidates: int) -> dict[str, int]:
        return {
            name: len(evaluator) * candidates for (name, its), evaluator in inputs.evaluators.items() if its == split
        }

    return [
        _round("scalars (baseline)", scalars, {name: count * scalars for name, count in counts.items()}),
        _round("front and baselines (at most)", front, of("held_out", front)),
    ]


def _round(name: str, candidates: int, items: dict[str, int]) -> dict[str, Any]:
    return {
        "name": name,
        "candidates": candidates,
        "evaluations": candidates * len(items),
        "items": items,
        "items_forwarded": sum(items.values()),
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
