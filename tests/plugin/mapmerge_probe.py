"""A plug-in as somebody else would write one: an evaluator whose outcomes and troubles a test chooses.

It measures `torch.nn.Linear(k, 1, bias=False)`. Where the base is all ones and expert i adds one to weight i, the
merged weights less one are the coefficients: outcomes are then a known function of the candidate, at no cost.
"""

import json
import os
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import nn

from mapmerge.evaluators.options import parse_options
from mapmerge.records import JsonObject, Metric

Trouble = Literal["none", "error", "die", "die once", "hang once", "float64", "list", "nan", "short", "random"]


class ProbeOptions(BaseModel, extra="forbid", strict=True, frozen=True):
    """What a test may ask for."""

    peak: list[float]
    """The coefficients at which every outcome is 1; the further away, the fewer are."""

    trouble: Trouble = "none"
    above: float = -1.0
    """Only candidates whose first coefficient is greater are in trouble."""

    marks: str | None = None
    """A folder in which every measurement leaves a file."""

    seconds: float = Field(default=0.0, ge=0)
    """What a measurement takes."""


class Probe:
    """Item j of i is right where the candidate's quality, in 0..1, is above (j + 0.5) / i."""

    name: ClassVar[str] = "probe"
    version: ClassVar[str] = "1"

    def __init__(self, items: JsonObject, options: ProbeOptions, root: Path) -> None:
        self._items, self._options, self._root = items, options, root

    @classmethod
    def open(cls, items: Path, options: Mapping[str, Any], *, root: Path, device: str) -> Self:
        """Read the item set: a JSON file with a `name` and how many `items` there are."""
        parsed = parse_options(ProbeOptions, options, evaluator=cls.name)
        return cls(json.loads((root / items).read_text()), parsed, root)

    @property
    def metric(self) -> Metric:
        return Metric("right", 0.0, 1.0, True)

    @property
    def identity(self) -> JsonObject:
        told = self._options.model_dump(include={"peak", "trouble", "above"})
        return {"items": dict(self._items), **told}

    @property
    def item_ids(self) -> Sequence[str]:
        return [f"{self._items['name']}-{item}" for item in range(len(self))]

    @property
    def warnings(self) -> Sequence[str]:
        return []

    def __len__(self) -> int:
        return int(self._items["items"])

    def measure(self, model: nn.Module, items: NDArray[np.int64] | None = None) -> Any:
        weights = model.get_parameter("weight").detach().numpy()[0]
        coefficients = np.round(weights.astype(np.float64) - 1.0, 5)
        quality = np.exp(-((coefficients - self._options.peak) ** 2).sum())
        chosen = np.arange(len(self)) if items is None else items
        outcomes = ((chosen + 0.5) / len(self) < quality).astype(np.float32)
        if items is None:  # a try of a few items is no measurement
            self._mark(coefficients)
        time.sleep(self._options.seconds)
        return self._spoil(outcomes, coefficients) if coefficients[0] > self._options.above else outcomes

    def _mark(self, coefficients: NDArray[np.float64]) -> None:
        if self._options.marks is not None:
            words = [self._items["name"], *(f"{value:.4f}" for value in coefficients), uuid.uuid4().hex]
            (self._root / self._options.marks / "_".join(words)).touch()

    def _spoil(self, outcomes: NDArray[np.float32], coefficients: NDArray[np.float64]) -> Any:
        match self._options.trouble:
            case "error":
                raise RuntimeError(f"cannot measure\n{coefficients.tolist()}")
            case "die":
                _die()
            case "die once" if self._first(coefficients):
                _die()
            case "hang once" if self._first(coefficients):
                time.sleep(3600)
            case "float64":
                return outcomes.astype(np.float64)
            case "list":
                return outcomes.tolist()
            case "nan":
                return np.full_like(outcomes, np.nan)
            case "short":
                return outcomes[1:]
            case "random":
                flipped = np.random.default_rng().random(len(outcomes)) < 0.4
                return np.where(flipped, 1 - outcomes, outcomes)
        return outcomes

    def _first(self, coefficients: NDArray[np.float64]) -> bool:
        """Say whether this trouble comes upon this candidate for the first time, in whatever process."""
        mark = self._root / f"{self._options.trouble} {coefficients.tolist()}"
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def _die() -> None:
    """Die without a word, but not before the answer about the candidate before has left the process."""
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
