"""What a run would do and cost, found out without measuring any candidate."""

import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mapmerge.config import StudyConfig, read_study
from mapmerge.config.nodes import owners_of, preferences_of, tree_of
from mapmerge.methods.samples import scalar_counts
from mapmerge.nested.building import balanced
from mapmerge.nested.cost import NodeCost, draw, runs
from mapmerge.nested.tree import Node
from mapmerge.records import Question, Split
from mapmerge.study import Study
from mapmerge.threads import one_thread
from tasks.inputs import Inputs, freeze, open_inputs
from tasks.node import study_of
from tasks.resident import Blueprint, Resident
from tasks.tree import unmerged_question

_TIMED_ITEMS = 256
_TIMED_CALLS = 4

Round = dict[str, Any]
"""What is measured together: its name, how many candidates and evaluations, and how many items of each objective."""


def plan(study: str, overrides: list[str]) -> dict[str, Any]:
    """Check a study as a run would, and count what the run would measure.

    The time is extrapolated from the base model on a few items of each objective.

    Returns:
        A JSON object: what the preflight found, the rounds, totals, bytes and seconds; of method `nested` also the tree
        and what one preference alone would cost.

    Raises:
        BadInputError: something cannot be used.
    """
    path = Path(study).expanduser().resolve()
    config, root = read_study(path, overrides), path.parent
    inputs = open_inputs(config, root)
    rounds, more = (_along_the_tree if config.method == "nested" else _at_once)(config, inputs)
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
        "total": _total(rounds),
        **more,
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


def _at_once(config: StudyConfig, inputs: Inputs) -> tuple[list[Round], dict[str, Any]]:
    """Return the rounds of a search over all experts at once."""
    study = Study(config, inputs.objectives, inputs.search_items, inputs.held_out_items)
    first = study.ask()
    assert first is not None
    scalars = dict(zip(study.brief.names, scalar_counts(study.brief, first) or study.brief.items, strict=True))
    front = config.budget.front + min(config.budget.front, config.evaluations)  # and those of a random search
    return [*_search_rounds(study, first), *_final_rounds(config, inputs, scalars, front)], {}


def _along_the_tree(config: StudyConfig, inputs: Inputs) -> tuple[list[Round], dict[str, Any]]:
    """Return the rounds of a nested search, one a node, the tree, and what one preference alone would cost."""
    experts, sizes = [expert.name for expert in config.experts], _sizes(inputs, "search")
    grown = tree_of(config, inputs.preflight.cosines)
    tree, belongs, wanted = grown or balanced(experts), owners_of(config), preferences_of(config)
    often = runs(tree, belongs, wanted)
    whole = Study(config, inputs.objectives, inputs.search_items, inputs.held_out_items)
    once = {node.name: _node_round(whole, node) for node in tree.nodes}
    nodes = [_times(entry, often[name]) for name, entry in once.items()]
    refine, front = config.nested.refine, config.budget.front
    refined = [_round("refinement (at most)", refine, {name: size * refine for name, size in sizes.items()})]

    def all_rounds(searched: Iterable[Round], settled: int) -> list[Round]:
        merges = _round("settled merges (at most)", settled, {name: size * settled for name, size in sizes.items()})
        final = _final_rounds(config, inputs, sizes, front if refine else settled)
        return [_unmerged_round(config, sizes), *searched, merges, *(refined if refine else []), *final]

    rounds, alone = all_rounds(nodes, len(wanted)), all_rounds(once.values(), 1)
    notes = {}
    for name, entry in once.items():
        whole_items = entry["candidates"] * sum(sizes[objective] for objective in entry["items"])
        cost = NodeCost(entry["candidates"], len(entry["items"]), sum(entry["items"].values()) / whole_items)
        notes[name] = f"{cost}, at most {often[name]} times" if often[name] > 1 else str(cost)
    drawn = draw(tree, notes)
    if grown is None:
        said = "The tree grows while its nodes are measured. A balanced one would cost this, others as much or more:"
        drawn = f"{said}\n{drawn}"
    return rounds, {
        "tree": drawn,
        "tree_grows": grown is None,
        "preferences": len(wanted),
        "one_preference": _total(alone),
    }


def _node_round(whole: Study, node: Node) -> Round:
    """Return what one run of a node measures at most."""
    study = study_of(whole.brief, node)
    first = study.ask()
    assert first is not None
    found = _search_rounds(study, first)
    return _round(
        node.name,
        sum(entry["candidates"] for entry in found),
        {name: sum(entry["items"][name] for entry in found) for name in study.brief.names},
    )


def _times(entry: Round, often: int) -> Round:
    items = {name: count * often for name, count in entry["items"].items()}
    return {**_round(entry["name"], entry["candidates"] * often, items), "runs": often}


def _unmerged_round(config: StudyConfig, sizes: dict[str, int]) -> Round:
    """Return what is measured before the first node."""
    question = unmerged_question(config)
    entry = _round("unmerged models", len(question.coefficients), _asked(question, sizes))
    return {**entry, "evaluations": len(question.requests(list(sizes)))}


def _search_rounds(study: Study, first: Question) -> list[Round]:
    """Return what the search would measure: its first round, and what the budget leaves for the rest at most."""
    brief = study.brief
    sizes = dict(zip(brief.names, brief.items, strict=True))
    seen = _asked(first, sizes)
    candidates = len(first.coefficients)
    left = brief.budget - sum(seen.values())
    more = left * candidates // sum(seen.values())
    words = "gate (only if a surrogate fails it)" if study.config.method == "map" else "further rounds (at most)"
    rest = {name: count * more // candidates for name, count in seen.items()}
    return [_round(first.name, candidates, seen), *([_round(words, more, rest)] if more else [])]


def _asked(question: Question, sizes: dict[str, int]) -> dict[str, int]:
    """Return how many items of each objective a question puts through models; `sizes` of the whole item sets."""
    seen = dict.fromkeys(sizes, 0)
    for _, name, sample in question.requests(list(sizes)):
        seen[name] += sizes[name] if sample is None else len(sample.items)
    return seen


def _final_rounds(config: StudyConfig, inputs: Inputs, counts: dict[str, int], front: int) -> list[Round]:
    """Return what is measured besides the search: the baseline of scalars, and the front with all baselines.

    Args:
        config: the study.
        inputs: what is measured on.
        counts: search items of each objective that one scalar sees.
        front: merges found that are measured on held-out items.
    """
    scalars = len(config.baselines.scalars)
    final = front + len(config.experts) + 3  # the base, the experts, the uniform merge and the best scalar
    held_out = {name: size * final for name, size in _sizes(inputs, "held_out").items()}
    return [
        _round("scalars (baseline)", scalars, {name: count * scalars for name, count in counts.items()}),
        _round("front and baselines (at most)", final, held_out),
    ]


def _sizes(inputs: Inputs, split: Split) -> dict[str, int]:
    """Return how many items each objective has."""
    return {name: len(evaluator) for (name, its), evaluator in inputs.evaluators.items() if its == split}


def _total(rounds: list[Round]) -> dict[str, int]:
    return {key: sum(entry[key] for entry in rounds) for key in ("evaluations", "items_forwarded")}


def _round(name: str, candidates: int, items: dict[str, int]) -> Round:
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
