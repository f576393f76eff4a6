"""Where each tensor of a model lies in one flat buffer of float32."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from mapmerge.checkpoints.open import Checkpoint
from mapmerge.errors import IntegrityError
from mapmerge.records import JsonObject

ALIGNMENT = 16
"""Every tensor begins on a multiple of this many floats: 64 bytes, a cache line."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The range `[offset, offset + size)` of the flat buffer that belongs to one tensor."""

    name: str
    shape: tuple[int, ...]
    offset: int
    size: int


@dataclass(frozen=True)
class Layout:
    """The floating-point tensors of a model, in sorted order of names, one after the other in a flat buffer.

    Made by `Layout.of` or `Layout.from_shapes`, so that slots never overlap.

    Args:
        slots: by name, names sorted.
        d: length of the flat buffer, padding included.
    """

    slots: tuple[Slot, ...]
    d: int

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int, ...]]) -> "Layout":
        """Lay tensors of these shapes out.

        >>> layout = Layout.from_shapes({"weight": (4, 5), "bias": (4,)})
        >>> [(slot.name, slot.offset, slot.size) for slot in layout.slots], layout.d
        ([('bias', 0, 4), ('weight', 16, 20)], 48)
        """
        slots = []
        end = 0
        for name in sorted(shapes):
            size = math.prod(shapes[name])
            slots.append(Slot(name, tuple(shapes[name]), end, size))
            end += -(-size // ALIGNMENT) * ALIGNMENT
        return cls(tuple(slots), end)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> "Layout":
        """Lay the floating-point tensors of a checkpoint out."""
        return cls.from_shapes({name: checkpoint.shapes[name] for name in checkpoint.floating})

    @cached_property
    def by_name(self) -> Mapping[str, Slot]:
        """The slots by name."""
        return {slot.name: slot for slot in self.slots}

    def view(self, flat: torch.Tensor, name: str) -> torch.Tensor:
        """Return one tensor of a flat buffer of shape [d], as a view.

        >>> layout = Layout.from_shapes({"bias": (2,), "weight": (2, 2)})
        >>> layout.view(torch.arange(layout.d), "weight")
        tensor([[16, 17],
                [18, 19]])
        """
        slot = self.by_name[name]
        return flat[slot.offset : slot.offset + slot.size].view(slot.shape)

    def to_json(self) -> dict[str, Any]:
        """Return the layout as JSON, which also tells other programs where to find what."""
        tensors = {slot.name: {"shape": list(slot.shape), "offset": slot.offset} for slot in self.slots}
        return {"d": self.d, "tensors": tensors}

    @classmethod
    def from_json(cls, value: JsonObject) -> "Layout":
        """Read what `to_json` wrote.

        Raises:
            IntegrityError: it is no layout, or offsets are not where shapes put them.

        >>> layout = Layout.from_shapes({"bias": (4,)})
        >>> Layout.from_json(layout.to_json()) == layout
        True
        """
        try:
            shapes = {name: tuple(tensor["shape"]) for name, tensor in value["tensors"].items()}
            layout = cls.from_shapes(shapes)
        except (KeyError, TypeError, AttributeError) as error:
            raise IntegrityError(f"expected a layout with shapes and offsets by tensor, came {value!r:.80}") from error
        if layout.to_json() != value:
            raise IntegrityError("the layout puts tensors elsewhere than this version does; build it once more")
        return layout
