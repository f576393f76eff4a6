"""What a study names, opened and checked: models, task matrix, item sets, evaluators."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from mapmerge.cache import cache_folder
from mapmerge.checkpoints.open import Checkpoint, open_checkpoint
from mapmerge.checkpoints.preflight import PreflightReport, preflight
from mapmerge.config import StudyConfig
from mapmerge.config.model import ObjectiveConfig, resolve
from mapmerge.config.nodes import tree_of
from mapmerge.errors import ConfigError
from mapmerge.evaluators.item_sets import check_disjoint
from mapmerge.evaluators.protocol import Evaluator
from mapmerge.evaluators.registry import load_evaluator
from mapmerge.merging.architecture import build_model
from mapmerge.merging.engine import ResidentModel
from mapmerge.merging.task_matrix import TaskMatrix
from mapmerge.nested.scale import unit_score
from mapmerge.records import Objective, Split
from mapmerge.response import objective_to_json
from mapmerge.threads import one_thread
from tasks.resident import one_line

_TRIED = 8
"""Items that each evaluator measures the base on, twice, before anything is paid."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Everything a study names, found to be usable.

    Args:
        base: the base model.
        experts: k checkpoints by name, in the study's order.
        preflight: how the experts differ from the base and from each other.
        evaluators: by objective and split.
        deterministic: for each objective, whether its evaluators gave the same bits when they were asked again.
        warnings: what a person should know although it stops nothing.
    """

    base: Checkpoint
    experts: dict[str, Checkpoint]
    preflight: PreflightReport
    evaluators: dict[tuple[str, Split], Evaluator]
    deterministic: dict[str, bool]
    warnings: tuple[str, ...]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """The objectives in the study's order, with what their evaluators report."""
        return tuple(
            Objective(name, evaluator.metric)
            for (name, split), evaluator in self.evaluators.items()
            if split == "search"
        )

    @property
    def search_items(self) -> tuple[int, ...]:
        """How many search items each objective has, in the study's order."""
        return tuple(len(evaluator) for (_, split), evaluator in self.evaluators.items() if split == "search")

    @property
    def held_out_items(self) -> tuple[int, ...]:
        """How many held-out items each objective has, in the study's order."""
        return tuple(len(evaluator) for (_, split), evaluator in self.evaluators.items() if split == "held_out")


def open_inputs(config: StudyConfig, root: Path) -> Inputs:
    """Open and check everything that a study names; measures nothing.

    Args:
        config: the study.
        root: the folder that relative paths start at.

    Raises:
        BadInputError: the first thing that cannot be used, and what to do.
    """
    base = open_checkpoint(resolve(root, config.base))
    experts = {expert.name: open_checkpoint(resolve(root, expert.checkpoint)) for expert in config.experts}
    report = preflight(base, experts, max_relative_norm=config.preflight.max_relative_norm)
    matrix = TaskMatrix.build(cache_folder(), base, list(experts.values()))
    architecture = build_model(config.architecture.build, config.architecture.options)
    model = ResidentModel(architecture, matrix, base, "cpu").load(np.zeros(len(experts)))
    evaluators: dict[tuple[str, Split], Evaluator] = {}
    deterministic: dict[str, bool] = {}
    warnings = list(report.warnings)
    for objective in config.objectives:
        pair = {split: _open_evaluator(objective, split, root) for split in get_args(Split)}
        check_disjoint(pair["search"].item_ids, pair["held_out"].item_ids, objective=objective.name)
        same = [_try(evaluator, model, f"objective {objective.name!r}, {split}") for split, evaluator in pair.items()]
        for split, evaluator in pair.items():
            evaluators[objective.name, split] = evaluator
            warnings += [f"objective {objective.name!r}, {split}: {warning}" for warning in evaluator.warnings]
        deterministic[objective.name] = all(same)
        if not all(same):
            warnings.append(
                f"objective {objective.name!r}: asked the same again, the evaluator gave other outcomes; results will "
                "not be reproducible, and the noise of the evaluator itself will be estimated by repeated measurements"
            )
    inputs = Inputs(base, experts, report, evaluators, deterministic, tuple(warnings))
    if config.method == "nested" and config.nested.tree == "paper":
        for measured in inputs.objectives:
            unit_score(0.0, measured)  # whatever it is: an objective without such a scale is refused here
    return inputs


def _open_evaluator(objective: ObjectiveConfig, split: Split, root: Path) -> Evaluator:
    items = resolve(root, objective.search if split == "search" else objective.held_out)
    evaluator = load_evaluator(objective.evaluator).open(items, objective.options, root=root, device="cpu")
    if len(evaluator) == 0:
        raise ConfigError(f"objective {objective.name!r}: {items} has no items")
    return evaluator


def _try(evaluator: Evaluator, model: torch.nn.Module, where: str) -> bool:
    """Put a few items through the base twice, and say whether the outcomes were the same bits.

    So an evaluator that does not fit the model is found before anything is paid.
    """
    few = np.arange(min(_TRIED, len(evaluator)), dtype=np.int64)
    try:
        with one_thread():
            first, again = (np.asarray(evaluator.measure(model, few)) for _ in range(2))
        return first.tobytes() == again.tobytes()
    except Exception as error:  # whatever a plug-in raises
        raise ConfigError(f"{where}: the evaluator cannot measure the base model: {one_line(error)}") from None


def freeze(config: StudyConfig, root: Path, inputs: Inputs) -> dict[str, Any]:
    """Return what a run records of its study: enough to resume it, and to see that the inputs are still the same.

    That of method `nested` has its tree (null where it grows), so that a resumed run merges along the same one.
    """
    tree = tree_of(config, inputs.preflight.cosines) if config.method == "nested" else None
    return {
        "schema": "mapmerge/run/1",
        "config": config.model_dump(mode="json"),
        "root": str(root),
        "objectives": [objective_to_json(objective) for objective in inputs.objectives],
        **({"tree": tree and tree.to_json()} if config.method == "nested" else {}),
        "inputs": {
            "base": inputs.base.fingerprint(),
            "experts": {name: expert.fingerprint() for name, expert in inputs.experts.items()},
            "evaluators": {
                objective.name: {
                    split: {
                        "name": type(inputs.evaluators[objective.name, split]).name,
                        "version": type(inputs.evaluators[objective.name, split]).version,
                        "items": len(inputs.evaluators[objective.name, split]),
                        "identity": dict(inputs.evaluators[objective.name, split].identity),
                    }
                    for split in get_args(Split)
                }
                for objective in config.objectives
            },
        },
        # Found by trying a few items, so that it may come out otherwise another time: no input that could change.
        "deterministic": dict(inputs.deterministic),
        "warnings": list(inputs.warnings),
    }
