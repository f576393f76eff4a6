"""What an actor holds and does: models and items stay in memory, a candidate costs one pass and its forward passes."""

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mapmerge.cache import cache_folder
from mapmerge.checkpoints.open import Checkpoint
from mapmerge.config import StudyConfig
from mapmerge.errors import RunError
from mapmerge.evaluators.protocol import Evaluator, TellsMargins
from mapmerge.files.opening import build_architecture, fetch, open_checkpoints, open_evaluator
from mapmerge.files.study import StudyFiles
from mapmerge.merging.engine import ResidentModel
from mapmerge.merging.task_matrix import TaskMatrix
from mapmerge.records import Array, Sample, Split, Wanted
from mapmerge.threads import one_thread

_OTHER = "is not what it was when the run began; put the old file back, or start a new run"


def _versions() -> dict[str, str]:
    """Return what is installed here; builds of one version for other devices (2.13.0+cpu) are the same version."""
    return {package: version(package).partition("+")[0] for package in ("mapmerge", "torch", "numpy")}


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Everything an actor needs to set itself up, small enough to send anywhere.

    Args:
        config: the study.
        root: the folder that relative paths start at.
        inputs: what the run froze of its inputs, so that no actor measures anything else; None: not to be compared.
        versions: of the packages where it was made, on which outcomes depend to the bit.
    """

    config: dict[str, Any]
    root: str
    inputs: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=_versions)

    def study(self) -> StudyConfig:
        """Return the study that this blueprint was made from."""
        return StudyConfig.model_validate(self.config)

    def require_same_versions(self) -> None:
        """Raise unless the packages here are those where this blueprint was made.

        Raises:
            RunError: another version is installed on this node.
        """
        for package, there in self.versions.items():
            if (here := _versions()[package]) != there:
                raise RunError(
                    f"{platform.node()} has {package} {here}, but the run is driven with {there}: install the same on "
                    "every node"
                )

    def require_same(self, fingerprints: Sequence[str], checkpoints: Sequence[Checkpoint]) -> None:
        """Raise unless these, the base first, are what the run began with.

        Raises:
            RunError: one was replaced since, or this machine has another one under the same name.
        """
        if self.inputs is None:
            return
        began = [self.inputs["base"], *(self.inputs["experts"][expert.name] for expert in self.study().experts)]
        for before, now, checkpoint in zip(began, fingerprints, checkpoints, strict=True):
            if before != now:
                raise RunError(f"{checkpoint.said}: {_OTHER}")

    def require_same_items(self, objective: str, split: Split, evaluator: Evaluator) -> None:
        """As `require_same`, for an item set and whatever else its evaluator knows itself by."""
        if self.inputs is not None:
            began = self.inputs["evaluators"][objective][split]["identity"]
            if began != json.loads(json.dumps(dict(evaluator.identity))):
                raise RunError(f"objective {objective!r}, {split}: {_OTHER}")


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What one objective of one candidate gave: outcomes, with margins if there are any, or the error in one line."""

    objective: str
    outcomes: NDArray[np.float32] | None
    seconds: float
    error: str | None = None
    device: str = "cpu"
    margins: NDArray[np.float32] | None = None


@dataclass(eq=False)
class Resident:
    """The base, the task vectors, one model and the item sets, kept in memory and used again for every candidate.

    It computes with a single thread: one actor a core beats one actor with many threads, and the result of a candidate
    then depends neither on the number of cores nor on what else runs.

    Raises:
        BadInputError: a checkpoint, an item set or the architecture cannot be used.
    """

    blueprint: Blueprint
    _evaluators: dict[tuple[str, Split], Evaluator] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.blueprint.require_same_versions()
        self._study, self._files = self.blueprint.study(), StudyFiles(Path(self.blueprint.root))
        study = self._study
        self.device = "cuda" if study.compute.num_gpus > 0 and torch.cuda.is_available() else "cpu"
        fetch(study, self._files)  # not later: what cannot be fetched is no failure of a candidate
        base, *experts = open_checkpoints(study, self._files)
        matrix = TaskMatrix.build(cache_folder(), base, experts)
        self.blueprint.require_same(matrix.fingerprints, [base, *experts])
        self.model = ResidentModel(build_architecture(study, self._files), matrix, base, self.device)
        self._numbers = {objective.name: number for number, objective in enumerate(study.objectives)}

    def evaluator(self, objective: str, split: Split) -> Evaluator:
        """Return the evaluator of an objective with its items staged, opened at the first use."""
        if (objective, split) not in self._evaluators:
            opened = open_evaluator(self._study, self._numbers[objective], split, self._files, device=self.device)
            self.blueprint.require_same_items(objective, split, opened)
            self._evaluators[objective, split] = opened
        return self._evaluators[objective, split]

    def measure(self, coefficients: Array, split: Split, wanted: Wanted) -> list[Measured]:
        """Merge one candidate in place and measure it.

        Args:
            coefficients: float64, shape [k].
            split: the item sets to use.
            wanted: objectives, each with its sample of items, or None for all of them.

        Returns:
            One result an objective, in the order asked, with an outcome for each of its items. An evaluator that fails
            gives a result with its error.
        """
        with one_thread():
            model = self.model.load(coefficients)
            return [self._measure_one(model, objective, split, sample) for objective, sample in wanted.items()]

    def _measure_one(self, model: torch.nn.Module, objective: str, split: Split, sample: Sample | None) -> Measured:
        start = time.perf_counter()
        try:
            evaluator = self.evaluator(objective, split)
            start = time.perf_counter()
            drawn = None if sample is None else sample.items
            # Only the search learns from margins.
            margins = (
                evaluator.measure_margins(model, drawn)
                if split == "search" and isinstance(evaluator, TellsMargins) and evaluator.tells_margins
                else None
            )
            outcomes = evaluator.measure(model, drawn) if margins is None else (margins > 0.0).astype(np.float32)
        except RunError:  # other inputs than the run's: no failure of this candidate
            raise
        except Exception as error:  # whatever a plug-in raises becomes a record, never the end of the run
            return Measured(objective, None, time.perf_counter() - start, one_line(error))
        seconds = time.perf_counter() - start
        items = len(evaluator) if sample is None else len(sample.items)
        misfit = _misfit(outcomes if margins is None else margins, items)
        if misfit is not None:
            expected = f"expected a float32 array of {items} finite {'outcomes' if margins is None else 'margins'}"
            return Measured(objective, None, seconds, f"{expected}, the evaluator gave {misfit}")
        return Measured(objective, outcomes, seconds, device=self.device, margins=margins)


def _misfit(outcomes: object, items: int) -> str | None:
    """Say what is wrong with what a plug-in gave for its items, or None."""
    if not isinstance(outcomes, np.ndarray):
        return f"a {type(outcomes).__name__}"
    if outcomes.dtype != np.float32 or outcomes.shape != (items,):
        return f"{outcomes.dtype} of shape {outcomes.shape}"
    bad = int((~np.isfinite(outcomes)).sum())
    return f"{bad} that are not finite" if bad else None


def one_line(error: BaseException) -> str:
    """Describe an error in one line of at most 500 characters.

    >>> one_line(ValueError("first\\nsecond"))
    'ValueError: first second'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
