"""Open what a study names, wherever it is: in the driver, again in every actor, and for an export."""

from typing import get_args

import torch

from mapmerge.checkpoints.open import Checkpoint
from mapmerge.config import StudyConfig
from mapmerge.evaluators.protocol import Evaluator
from mapmerge.evaluators.registry import load_evaluator
from mapmerge.files.study import StudyFiles
from mapmerge.merging.architecture import build_model
from mapmerge.records import Split


def open_checkpoints(config: StudyConfig, files: StudyFiles) -> list[Checkpoint]:
    """Open the base and then the experts, in the study's order.

    Raises:
        BadInputError: one of them cannot be had, or is no checkpoint; says which key of the study named it.
    """
    base = files.checkpoint(config.base, "base")
    experts = enumerate(config.experts)
    return [base, *(files.checkpoint(expert.checkpoint, f"experts.{i}.checkpoint") for i, expert in experts)]


def build_architecture(config: StudyConfig, files: StudyFiles) -> torch.nn.Module:
    """Build the empty model.

    Raises:
        BadInputError: an option names a file that cannot be had, or the function fails.
    """
    options = files.options(config.architecture.options, "architecture.options")
    with files.naming("architecture"):
        return build_model(config.architecture.build, options)


def open_evaluator(config: StudyConfig, number: int, split: Split, files: StudyFiles, *, device: str) -> Evaluator:
    """Open the evaluator of one objective, with its items.

    Args:
        config: the study.
        number: which objective, from 0.
        split: which of its item sets.
        files: where its files are.
        device: where models will be.

    Raises:
        BadInputError: a file cannot be had or used, or an option is wrong.
    """
    objective, key = config.objectives[number], f"objectives.{number}"
    items = files.path(_items(config, number, split), f"{key}.{split}")
    options = files.options(objective.options, f"{key}.options")
    with files.naming(f"{key}.{split}"):
        return load_evaluator(objective.evaluator).open(items, options, root=files.root, device=device)


def fetch(config: StudyConfig, files: StudyFiles) -> None:
    """Fetch every file that a study names, so that what cannot be had is known before anything is measured."""
    files.options(config.architecture.options, "architecture.options")
    for number, objective in enumerate(config.objectives):
        for split in get_args(Split):
            files.path(_items(config, number, split), f"objectives.{number}.{split}")
        files.options(objective.options, f"objectives.{number}.options")


def _items(config: StudyConfig, number: int, split: Split) -> str:
    objective = config.objectives[number]
    return objective.search if split == "search" else objective.held_out
