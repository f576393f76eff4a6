"""Classification: accuracy or cross-entropy of a model, or of an encoder with a frozen linear head."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import nn
from torch.nn import functional

from mapmerge.errors import ConfigError, EvaluationError, ItemSetError
from mapmerge.evaluators.head import Head, open_head
from mapmerge.evaluators.item_sets import ItemSet, open_item_set
from mapmerge.evaluators.options import parse_options
from mapmerge.records import JsonObject, Metric

_METRICS = {
    "accuracy": Metric("accuracy", lower=0.0, upper=1.0, maximize=True),
    "cross_entropy": Metric("cross_entropy", lower=0.0, upper=None, maximize=False),
}


class ClassificationOptions(BaseModel, extra="forbid", strict=True, frozen=True):
    """What a study can say about a classification objective."""

    metric: Literal["accuracy", "cross_entropy"] = "accuracy"
    """`accuracy`: 1 where the largest logit is the label's, else 0. `cross_entropy`: nats of the label."""

    head: str | None = None
    """A safetensors file with `weight` [classes, features] and perhaps `bias`; none: the model returns the logits."""

    batch_size: int = Field(default=128, ge=1, le=1 << 20)
    """Items put through the model at once; part of the identity, because it decides the last bits of a logit."""


class Classification:
    """Measures how well a model names the class of each item; see `Evaluator` for what the members mean.

    Inputs of dtype uint8 are divided by 255, floating-point ones are taken as they are. All of them are staged on the
    device as float32 when the evaluator opens, which costs four bytes a value and nothing for each model.
    """

    name: ClassVar[str] = "classification"
    version: ClassVar[str] = "1"

    def __init__(self, item_set: ItemSet, options: ClassificationOptions, head: Head | None, *, device: str) -> None:
        inputs = item_set.inputs.to(device, torch.float32, copy=True)
        self._inputs = inputs.div_(255.0) if item_set.inputs.dtype == torch.uint8 else inputs
        self._labels = item_set.labels.to(device, copy=True)
        self._highest_label = int(item_set.labels.max())
        self._set, self._options, self._head = item_set, options, head

    @classmethod
    def open(cls, items: Path, options: Mapping[str, Any], *, root: Path, device: str) -> Self:
        """Stage an item set for measuring; see `ClassificationOptions` and `open_item_set`.

        Raises:
            ConfigError: an option is unknown or wrong, or the device is not there.
            MissingFileError: there is no such item set or head.
            ItemSetError: the items cannot be used, or a label is no class of the head.
            CheckpointError: the head cannot be used.
        """
        parsed = parse_options(ClassificationOptions, options, evaluator=cls.name)
        try:
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
        head = None if parsed.head is None else open_head(root / parsed.head, device=device)
        evaluator = cls(open_item_set(root / items), parsed, head, device=device)
        if head is not None:
            evaluator._check_classes(head.weight.shape[0])
        return evaluator

    @property
    def metric(self) -> Metric:
        """Accuracy, or cross-entropy in nats."""
        return _METRICS[self._options.metric]

    @property
    def identity(self) -> JsonObject:
        """Content hashes of the item set and the head, the metric and the batch size."""
        return {
            "item_set": self._set.sha256,
            "head": None if self._head is None else self._head.sha256,
            "metric": self._options.metric,
            "batch_size": self._options.batch_size,
        }

    @property
    def item_ids(self) -> Sequence[str]:
        """Content hash of every item's input."""
        return self._set.ids

    @property
    def warnings(self) -> Sequence[str]:
        """What is odd about the item set."""
        return self._set.warnings

    def __len__(self) -> int:
        return len(self._set)

    @property
    def tells_margins(self) -> bool:
        """Margins go with 0/1 outcomes only."""
        return self._options.metric == "accuracy"

    def measure(self, model: nn.Module, items: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Put items through a model, in consecutive batches of one size (the last one may be shorter).

        Raises:
            ItemSetError: an index is out of range, or a label is no class of the model.
            EvaluationError: the model is in training mode, fails, or does not return finite logits [items, classes].
        """
        return self._measure(model, items, self._outcomes)

    def measure_margins(self, model: nn.Module, items: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Put items through a model; a margin is the logit of the item's class less the best other one.

        Raises:
            ItemSetError: as `measure`.
            EvaluationError: as `measure`.
        """
        return self._measure(model, items, _margins)

    @torch.inference_mode()
    def _measure(
        self,
        model: nn.Module,
        items: NDArray[np.int64] | None,
        judge: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> NDArray[np.float32]:
        """Put items through a model and judge their logits [i, classes] by their labels [i]."""
        if model.training:
            raise EvaluationError("expected a model in eval mode, came one in training mode; call model.eval() first")
        inputs, labels = self._inputs, self._labels
        if items is not None:
            chosen = self._indices(items)
            inputs, labels = inputs[chosen], labels[chosen]
        judged = torch.empty(len(labels), dtype=torch.float32, device=inputs.device)
        for start in range(0, len(labels), self._options.batch_size):
            batch = slice(start, start + self._options.batch_size)
            logits = self._logits(model, inputs[batch])
            bad = ~torch.isfinite(logits).all(1)
            judged[batch] = judge(logits, labels[batch]).masked_fill_(bad, torch.nan)
        # Moved and checked once for all batches: each check on an accelerator waits for everything before it.
        measured: NDArray[np.float32] = judged.cpu().numpy()
        unfit = np.flatnonzero(~np.isfinite(measured))
        if len(unfit):
            item = int(unfit[0]) if items is None else int(items[unfit[0]])
            raise EvaluationError(f"the model's logits are not finite for {len(unfit)} items, the first is item {item}")
        return measured

    def _logits(self, model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        try:
            output = model(inputs)
        except (RuntimeError, TypeError, ValueError) as error:
            raise EvaluationError(
                f"the model failed on inputs of shape {list(inputs.shape)} on {inputs.device}: {error}"
            ) from error
        width = "classes" if self._head is None else str(self._head.weight.shape[1])
        fits = isinstance(output, torch.Tensor) and output.ndim == 2 and len(output) == len(inputs)
        if not fits or (self._head is not None and output.shape[1] != self._head.weight.shape[1]):
            came = list(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            raise EvaluationError(
                f"expected the model to return a tensor of shape [{len(inputs)}, {width}], came {came}"
            )
        returned: torch.Tensor = output.float()
        if self._head is None:
            self._check_classes(returned.shape[1])
            return returned
        logits: torch.Tensor = functional.linear(returned, self._head.weight, self._head.bias)
        return logits

    def _outcomes(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self._options.metric == "accuracy":
            return (logits.argmax(1) == labels).float()
        return functional.cross_entropy(logits, labels, reduction="none")

    def _check_classes(self, classes: int) -> None:
        if self._highest_label >= classes:
            raise ItemSetError(
                f"the item set has labels up to {self._highest_label}, but there are only {classes} classes (from 0); "
                "give the head or the model that belongs to this item set"
            )

    def _indices(self, items: NDArray[np.int64]) -> torch.Tensor:
        if items.ndim != 1 or items.dtype != np.int64 or len(items) == 0:
            raise ItemSetError(f"expected int64 item indices of shape [i], came {items.dtype} of {list(items.shape)}")
        if items.min() < 0 or items.max() >= len(self):
            raise ItemSetError(f"item indices go from 0 to {len(self) - 1}, came {items.min()} to {items.max()}")
        return torch.from_numpy(items).to(self._labels.device)


def _margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the logit of each item's class less the best other one, at most 0 where the arg-max is another class."""
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf)
    margins = own - others.amax(1)
    tie = (margins == 0.0) & (logits.argmax(1) == labels)  # the first of equal logits wins
    return margins.masked_fill_(tie, torch.finfo(torch.float32).tiny)
