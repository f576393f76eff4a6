"""Views of images: what objectives of one source differ by, in pixels or in the question that is asked."""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mapmerge.zoo.sources import Images

View = Callable[[Images, np.random.Generator], Images]
"""Makes the images of an objective from those of a source, row for row: a split of one is a split of the other."""

Pixels = NDArray[np.uint8]


def _pixels(change: Callable[[Pixels, np.random.Generator], Pixels]) -> View:
    """Return the view that changes pixels [i, 28, 28] and leaves labels."""

    @functools.wraps(change)
    def view(images: Images, rng: np.random.Generator) -> Images:
        return Images(np.ascontiguousarray(change(images.pixels, rng)), images.labels)

    return view


def in_turn(*views: View) -> View:
    """Return the view that takes one view of another, from left to right."""

    def view(images: Images, rng: np.random.Generator) -> Images:
        for each in views:
            images = each(images, rng)
        return images

    return view


def as_is(images: Images, rng: np.random.Generator) -> Images:
    """Return the images as they are."""
    return images


def turned(quarters: int) -> View:
    """Return the view that rotates images by so many times 90 degrees, against the clock."""
    return _pixels(lambda pixels, _: np.rot90(pixels, quarters, axes=(1, 2)))


@_pixels
def mirrored(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Swap left and right."""
    return pixels[:, :, ::-1]


@_pixels
def upside_down(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Swap above and below."""
    return pixels[:, ::-1]


@_pixels
def transposed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Swap rows and columns."""
    return pixels.transpose(0, 2, 1)


@_pixels
def swapped_quadrants(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Move every quadrant to the opposite corner."""
    return np.roll(pixels, (14, 14), axis=(1, 2))


def shuffled_tiles(side: int) -> View:
    """Return the view that cuts images in square tiles and lays them in another order, the same for every image.

    Args:
        side: pixels from edge to edge of a tile; divides 28.

    >>> picture = Images(np.arange(784).reshape(1, 28, 28).astype(np.uint8), np.array([0]))
    >>> shuffled = shuffled_tiles(7)(picture, np.random.default_rng(0))
    >>> bool((np.sort(shuffled.pixels, axis=None) == np.sort(picture.pixels, axis=None)).all())
    True
    """
    count = 28 // side

    @_pixels
    def view(pixels: Pixels, rng: np.random.Generator) -> Pixels:
        tiles = pixels.reshape(-1, count, side, count, side).transpose(0, 1, 3, 2, 4).reshape(-1, count**2, side, side)
        laid = tiles[:, rng.permutation(count**2)].reshape(-1, count, count, side, side).transpose(0, 1, 3, 2, 4)
        return laid.reshape(-1, 28, 28)

    return view


@_pixels
def shuffled_columns(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Lay the columns of pixels in another order, the same for every image."""
    return pixels[:, :, rng.permutation(28)]


@_pixels
def negative(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Swap black and white, then add grey noise with a standard deviation of 40 of 255 levels."""
    return _grey(255.0 - pixels + rng.normal(0.0, 40.0, pixels.shape))


@_pixels
def half_negative(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Swap black and white in the left half."""
    return _negative_where(pixels, np.arange(28)[None, :] < 14)


@_pixels
def checkered(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Swap black and white in every other tile of 4x4 pixels, as on a chessboard."""
    place = np.arange(28) // 4
    return _negative_where(pixels, (place[:, None] + place) % 2 == 1)


@_pixels
def coarse(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Leave the mean grey of each 4x4 pixels, then add grey noise with a standard deviation of 20 of 255 levels."""
    means = pixels.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4)).repeat(4, axis=1).repeat(4, axis=2)
    return _grey(means + rng.normal(0.0, 20.0, means.shape))


@_pixels
def faint(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Leave a quarter of the contrast on grey, then add grey noise with a standard deviation of 20 of 255 levels."""
    return _grey(96.0 + pixels / 4.0 + rng.normal(0.0, 20.0, pixels.shape))


@_pixels
def upper_half_hidden(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Put noise of all greys in the place of the upper half."""
    hidden = pixels.copy()
    hidden[:, :14] = rng.integers(0, 256, hidden[:, :14].shape, dtype=np.uint8)
    return hidden


@_pixels
def edges(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Leave how fast the grey changes from pixel to pixel: the length of its gradient."""
    down, right = np.gradient(pixels.astype(np.float32), axis=(1, 2))
    return _grey(np.hypot(down, right))


@_pixels
def shrunk(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Halve height and width, and lay the image in the lower right corner of a grey one with noise."""
    small = pixels.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    canvas = rng.normal(128.0, 40.0, pixels.shape)
    canvas[:, 14:, 14:] = small
    return _grey(canvas)


def parity(images: Images, rng: np.random.Generator) -> Images:
    """Ask whether the label is odd (1) or even (0)."""
    return Images(images.pixels, images.labels % 2)


def thirds(images: Images, rng: np.random.Generator) -> Images:
    """Ask for the remainder of the label when divided by three."""
    return Images(images.pixels, images.labels % 3)


def one_of(labels: Sequence[int]) -> View:
    """Return the view that asks whether the label is one of these (1) or not (0)."""
    return lambda images, _: Images(images.pixels, np.isin(images.labels, labels).astype(np.int64))


def _negative_where(pixels: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    return np.where(mask, 255 - pixels, pixels)


def _grey(levels: NDArray[np.floating]) -> Pixels:
    """Round to whole levels of grey in 0..255."""
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)
