"""Which image is trained on, searched on, or kept for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mapmerge.randomness import generator
from mapmerge.zoo.objectives import VisionObjective
from mapmerge.zoo.recipe import Recipe
from mapmerge.zoo.sources import Images


@dataclass(frozen=True, slots=True, eq=False)
class SplitImages:
    """The images of one objective, in disjoint parts.

    Args:
        base: what the base is trained on; also a part of `train`.
        train: what the expert is trained on.
        search: what a front is found on.
        held_out: what a front is reported on.
    """

    base: Images
    train: Images
    search: Images
    held_out: Images


def split_objectives(
    objectives: Sequence[VisionObjective], sources: Mapping[str, Images], *, recipe: Recipe, seed: int
) -> dict[str, SplitImages]:
    """Make the images of every objective and split them by the image that they come from.

    Objectives made from one source share one split: an image that is held out for one is held out for all, so no model
    was trained on any view of it.

    Args:
        objectives: what to make.
        sources: the images without duplicates, by name.
        recipe: sizes.
        seed: same seed, same split and same noise.

    Returns:
        The parts by name of the objective, in the order given.
    """
    parts = {}
    for objective in objectives:
        source = sources[objective.source]
        images = objective.view(source, generator(seed, "view", objective.name))
        rows = generator(seed, "split", objective.source).permutation(len(source))
        items = min(recipe.items, len(source) // 4)
        held_out, search, train = np.split(rows[: 2 * items + recipe.train], [items, 2 * items])
        seen_by_base = train[: round(len(train) * recipe.base_share)]
        parts[objective.name] = SplitImages(
            base=images.take(seen_by_base),
            train=images.take(train),
            search=images.take(search),
            held_out=images.take(held_out),
        )
    return parts
