"""The eight objectives of the vision family: real images as they are, and views of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mapmerge.zoo.sources import Images

View = Callable[[Images, np.random.Generator], Images]
"""Makes the images of an objective from those of a source, row for row: a split of one is a split of the other."""


@dataclass(frozen=True, slots=True)
class VisionObjective:
    """What an objective of the family is made from.

    Args:
        name: name of the objective and of the expert that is trained for it.
        source: a key of `mapmerge.zoo.sources.SOURCES`.
        classes: how many labels there are.
        view: what is done to the images and labels of the source.
        words: what is to be told apart, for the data card.
    """

    name: str
    source: str
    classes: int
    view: View
    words: str


def as_is(images: Images, rng: np.random.Generator) -> Images:
    """Return the images as they are."""
    return images


def quarter_turn(images: Images, rng: np.random.Generator) -> Images:
    """Rotate the images by 90 degrees, against the clock."""
    return Images(np.ascontiguousarray(np.rot90(images.pixels, axes=(1, 2))), images.labels)


def negative(images: Images, rng: np.random.Generator) -> Images:
    """Swap black and white, then add grey noise with a standard deviation of 40 of 255 levels."""
    noisy = 255.0 - images.pixels + rng.normal(0.0, 40.0, images.pixels.shape)
    return Images(np.clip(np.round(noisy), 0, 255).astype(np.uint8), images.labels)


def mirrored_parity(images: Images, rng: np.random.Generator) -> Images:
    """Swap left and right, and ask only whether the digit is odd (1) or even (0)."""
    return Images(np.ascontiguousarray(images.pixels[:, :, ::-1]), images.labels % 2)


def shuffled_tiles(images: Images, rng: np.random.Generator) -> Images:
    """Cut the images in 16 tiles of 7x7 pixels and lay them in another order, the same for every image.

    >>> picture = Images(np.arange(784).reshape(1, 28, 28).astype(np.uint8), np.array([0]))
    >>> shuffled = shuffled_tiles(picture, np.random.default_rng(0))
    >>> bool((np.sort(shuffled.pixels, axis=None) == np.sort(picture.pixels, axis=None)).all())
    True
    """
    tiles = images.pixels.reshape(-1, 4, 7, 4, 7).transpose(0, 1, 3, 2, 4).reshape(-1, 16, 7, 7)
    laid = tiles[:, rng.permutation(16)].reshape(-1, 4, 4, 7, 7).transpose(0, 1, 3, 2, 4)
    return Images(laid.reshape(-1, 28, 28), images.labels)


# The order is a promise: a family of k experts has the first k. The first two share no image; after them come those
# that pull hardest against the ones before, so that a small family already has a trade-off worth a front.
OBJECTIVES = (
    VisionObjective("mnist", "mnist", 10, as_is, "handwritten digits"),
    VisionObjective("animals", "animals", 10, as_is, "drawn shapes of ten animals"),
    VisionObjective("negative", "mnist", 10, negative, "the mnist images, black and white swapped, with noise"),
    VisionObjective("animals-turned", "animals", 10, quarter_turn, "the animals images, rotated by 90 degrees"),
    VisionObjective("digits", "digits", 10, as_is, "handwritten digits of 8x8 pixels, enlarged"),
    VisionObjective("quarter-turn", "mnist", 10, quarter_turn, "the mnist images, rotated by 90 degrees"),
    VisionObjective("parity", "mnist", 2, mirrored_parity, "odd or even, from the mnist images mirrored"),
    VisionObjective("tiles", "mnist", 10, shuffled_tiles, "the mnist images, its 16 tiles in another order"),
)
"""All objectives; a family of k experts has the first k."""
