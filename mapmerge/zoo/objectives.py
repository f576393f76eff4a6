"""The objectives of the vision family: real images as they are, and views of them."""

from dataclasses import dataclass

from mapmerge.zoo import views
from mapmerge.zoo.views import View


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


# The order is a promise: a family of k experts has the first k. The first two share no image; after them come those
# that pull hardest against the ones before, so that a small family already has a trade-off worth a front.
OBJECTIVES = (
    VisionObjective("mnist", "mnist", 10, views.as_is, "handwritten digits"),
    VisionObjective("animals", "animals", 10, views.as_is, "drawn shapes of ten animals"),
    VisionObjective("negative", "mnist", 10, views.negative, "the mnist images, black and white swapped, with noise"),
    VisionObjective("animals-turned", "animals", 10, views.turned(1), "the animals images, rotated by 90 degrees"),
    VisionObjective("digits", "digits", 10, views.as_is, "handwritten digits of 8x8 pixels, enlarged"),
    VisionObjective("quarter-turn", "mnist", 10, views.turned(1), "the mnist images, rotated by 90 degrees"),
    VisionObjective(
        "parity", "mnist", 2, views.in_turn(views.mirrored, views.parity), "odd or even, from the mnist images mirrored"
    ),
    VisionObjective("tiles", "mnist", 10, views.shuffled_tiles(7), "the mnist images, its 16 tiles in another order"),
    VisionObjective("half-turn", "mnist", 10, views.turned(2), "the mnist images, rotated by 180 degrees"),
    VisionObjective(
        "animals-negative", "animals", 10, views.negative, "the animals images, black and white swapped, with noise"
    ),
    VisionObjective("digits-turned", "digits", 10, views.turned(1), "the digits images, rotated by 90 degrees"),
    VisionObjective("transposed", "mnist", 10, views.transposed, "the mnist images, rows and columns swapped"),
    VisionObjective(
        "animals-tiles", "animals", 10, views.shuffled_tiles(7), "the animals images, their 16 tiles in another order"
    ),
    VisionObjective(
        "below-five",
        "mnist",
        2,
        views.in_turn(views.upside_down, views.one_of(range(5))),
        "below five or not, from the mnist images upside down",
    ),
    VisionObjective("columns", "mnist", 10, views.shuffled_columns, "the mnist images, their columns in another order"),
    VisionObjective(
        "animals-half-negative",
        "animals",
        10,
        views.half_negative,
        "the animals images, black and white swapped on the left",
    ),
    VisionObjective(
        "loops",
        "mnist",
        2,
        views.in_turn(views.turned(3), views.one_of((0, 6, 8, 9))),
        "written with a closed loop (0, 6, 8, 9) or not, from the mnist images rotated by 270 degrees",
    ),
    VisionObjective(
        "small-tiles", "mnist", 10, views.shuffled_tiles(4), "the mnist images, their 49 tiles in another order"
    ),
    VisionObjective("animals-upside-down", "animals", 10, views.upside_down, "the animals images, upside down"),
    VisionObjective(
        "digits-negative", "digits", 10, views.negative, "the digits images, black and white swapped, with noise"
    ),
    VisionObjective("edges", "mnist", 10, views.edges, "the mnist images, only their edges"),
    VisionObjective("animals-coarse", "animals", 10, views.coarse, "the animals images in 7x7 blocks, with noise"),
    VisionObjective(
        "thirds",
        "mnist",
        3,
        views.in_turn(views.checkered, views.thirds),
        "the remainder by three, from the mnist images with a chessboard of negatives",
    ),
    VisionObjective("three-quarter-turn", "mnist", 10, views.turned(3), "the mnist images, rotated by 270 degrees"),
    VisionObjective(
        "digits-tiles", "digits", 10, views.shuffled_tiles(7), "the digits images, their 16 tiles in another order"
    ),
    VisionObjective("animals-edges", "animals", 10, views.edges, "the animals images, only their edges"),
    VisionObjective("checkered", "mnist", 10, views.checkered, "the mnist images with a chessboard of negatives"),
    VisionObjective(
        "lower-half", "mnist", 10, views.upper_half_hidden, "the mnist images, noise in the place of the upper half"
    ),
    VisionObjective(
        "animals-quadrants",
        "animals",
        10,
        views.swapped_quadrants,
        "the animals images, their quadrants swapped across",
    ),
    VisionObjective(
        "animals-first",
        "animals",
        2,
        views.in_turn(views.mirrored, views.one_of(range(5))),
        "one of the first five animals or not, from the animals images mirrored",
    ),
    VisionObjective("shrunk", "mnist", 10, views.shrunk, "the mnist images at half the size, in a corner of noise"),
    VisionObjective(
        "animals-faint", "animals", 10, views.faint, "the animals images with a quarter of the contrast, in noise"
    ),
)
"""All objectives; a family of k experts has the first k."""
