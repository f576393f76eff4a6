"""What a study names, opened and checked: models, task matrix, item sets, evaluators."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from mapmerge.cache import cache_folder
from mapmerge.checkpoints.compare import differing
from mapmerge.checkpoints.preflight import PreflightReport, preflight
from mapmerge.config import StudyConfig
from mapmerge.config.nodes import tree_of
from mapmerge.errors import ConfigError
from mapmerge.evaluators.item_sets import check_disjoint
from mapmerge.evaluators.protocol import Evaluator
from mapmerge.files.opening import build_architecture, open_checkpoints, open_evaluator
from mapmerge.files.study import StudyFiles
from mapmerge.merging.engine import ResidentModel
from mapmerge.merging.task_matrix import TaskMatrix
from mapmerge.nested.scale import unit_score
from mapmerge.records import Objective, Split
from mapmerge.response import objective_to_json
from mapmerge.threads import one_thread
from tasks.progress import Progress, report
from tasks.resident import one_line

_TRIED = 8
"""Items that each evaluator measures the base on, twice, before anything is paid."""

_LARGE = 10**8
"""Bytes of a task matrix from which on a person is told how far it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Everything a study names, found to be usable.

    Args:
        fingerprints: of the base and then of the k experts, in the study's order.
        preflight: how the experts differ from the base and from each other.
        evaluators: by objective and split.
        deterministic: for each objective, whether its evaluators gave the same bits when they were asked again.
        warnings: what a person should know although it stops nothing.
        files: where they are; copies of what is on S3 stay as long as this does.
    """

    fingerprints: tuple[str, ...]
    preflight: PreflightReport
    evaluators: dict[tuple[str, Split], Evaluator]
    deterministic: dict[str, bool]
    warnings: tuple[str, ...]
    files: StudyFiles

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
    files = StudyFiles(root)
    base, *opened = open_checkpoints(config, files)
    experts = {expert.name: checkpoint for expert, checkpoint in zip(config.experts, opened, strict=True)}
    far = config.preflight.max_relative_norm
    if not base.floating or any(differing(base, expert) for expert in opened):
        preflight(base, experts, max_relative_norm=far)  # says all that is wrong
    matrix = TaskMatrix.build(cache_folder(), base, opened, told=_say_how_far)
    report = preflight(base, experts, max_relative_norm=far, read=matrix.pieces)
    architecture = build_architecture(config, files)
    model = ResidentModel(architecture, matrix, base, "cpu").load(np.zeros(len(experts)))
    evaluators: dict[tuple[str, Split], Evaluator] = {}
    deterministic: dict[str, bool] = {}
    warnings = list(report.warnings)
    for number, objective in enumerate(config.objectives):
        pair = {split: _open_evaluator(config, number, split, files) for split in get_args(Split)}
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
    inputs = Inputs(matrix.fingerprints, report, evaluators, deterministic, tuple(warnings), files)
    if config.method == "nested" and config.nested.tree == "paper":
        for measured in inputs.objectives:
            unit_score(0.0, measured)  # whatever it is: an objective without such a scale is refused here
    return inputs


def _say_how_far(written: int, size: int) -> None:
    """Report how many megabytes of the matrix are there, where it takes a while."""
    if size >= _LARGE:
        report(Progress("read checkpoints, MB", written // 10**6, size // 10**6))


def _open_evaluator(config: StudyConfig, number: int, split: Split, files: StudyFiles) -> Evaluator:
    evaluator = open_evaluator(config, number, split, files, device="cpu")
    if len(evaluator) == 0:
        objective = config.objectives[number]
        items = objective.search if split == "search" else objective.held_out
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
    base, *experts = inputs.fingerprints
    return {
        "schema": "mapmerge/run/1",
        "mapmerge": version("mapmerge"),
        "config": config.model_dump(mode="json"),
        "root": str(root),
        "objectives": [objective_to_json(objective) for objective in inputs.objectives],
        **({"tree": tree and tree.to_json()} if config.method == "nested" else {}),
        "inputs": {
            "base": base,
            "experts": dict(zip((expert.name for expert in config.experts), experts, strict=True)),
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
