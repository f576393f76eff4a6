"""What an evaluator is: the one interface that a plug-in implements."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import nn

from mapmerge.records import JsonObject, Metric


@runtime_checkable
class Evaluator(Protocol):
    """Measures models on one item set, one outcome an item; the score of a model is the mean of its outcomes.

    An evaluator is opened once and asked thousands of times, so it stages its items when it opens. What it returns may
    depend on nothing but the model, the items and what `identity` tells: a measurement is found again by that.
    """

    name: ClassVar[str]
    """The name under which the evaluator is registered and recorded."""

    version: ClassVar[str]
    """Changes whenever the same model would get other outcomes; old measurements are then not reused."""

    @classmethod
    def open(cls, items: Path, options: Mapping[str, Any], *, root: Path, device: str) -> Self:
        """Stage an item set.

        Args:
            items: the item set, absolute or relative to `root`.
            options: as the study gives them; checked strictly (see `parse_options`).
            root: the folder that relative paths start at.
            device: where models will be, such as `cpu` or `cuda:0`.

        Raises:
            ConfigError: an option is unknown or wrong, or the device is not there.
            ItemSetError: nothing can be measured on these items.
        """
        ...

    @property
    def metric(self) -> Metric:
        """What an outcome is, its range and direction."""
        ...

    @property
    def identity(self) -> JsonObject:
        """Everything that determines the outcomes, as JSON: content hashes and options, never a path or a device."""
        ...

    @property
    def item_ids(self) -> Sequence[str]:
        """Content hash of every item's input, length i, by which overlapping item sets are found."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What is odd about the items but does not stop the measurement, in words."""
        ...

    def __len__(self) -> int:
        """Count the items, i."""
        ...

    def measure(self, model: nn.Module, items: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Put items through a model.

        Args:
            model: in eval mode, on the evaluator's device; it is not changed.
            items: indices into the item set, shape [i]; None means all of them, in order.

        Returns:
            The metric for each item, float32, shape [i], finite; the same bits whenever asked again.

        Raises:
            EvaluationError: the model cannot be measured, for example because it returns NaN.
        """
        ...


@runtime_checkable
class TellsMargins(Protocol):
    """What an evaluator of 0/1 outcomes can do besides: say by how much each item was right or wrong.

    Surrogates learn more from it than from outcomes, at no cost: see `mapmerge.surrogates.margins`.
    """

    @property
    def tells_margins(self) -> bool:
        """Whether `measure_margins` may be called, with the options that were given."""
        ...

    def measure_margins(self, model: nn.Module, items: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Put items through a model.

        Returns:
            Margins, float32, shape [i], finite: above 0 where `measure` gives 1 and at most 0 where it gives 0. They
            should move smoothly as the model does.

        Raises:
            EvaluationError: the model cannot be measured.
        """
        ...
