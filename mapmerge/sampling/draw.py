"""Draw the items that one evaluation sees."""

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array, Sample

_DRAWN = 4
"""The most items drawn of one stratum: strata as narrow as they can be while each still tells its own variance."""


def draw(count: int, difficulty: Array | None, rng: np.random.Generator, *, size: int) -> Sample:
    """Draw items at random without replacement, so that the weighted mean of their outcomes has no bias.

    With difficulties the items are cut, in the order of these, into ceil(count / 4) strata of nearly equal
    size, and 2 to 4 items are drawn of each (1 where only one is wanted at all): a sample then has hard and easy items
    in the proportions of the whole set, and its score varies less. Each stratum is as large as its number of draws asks
    for, rounded to whole items, so that all items weigh nearly alike.

    Args:
        count: how many items, at least 1; `size` or more gives all of them.
        difficulty: shape [size], how hard each item is, in any unit; ties are broken at random. None: one stratum.
        rng: source of all random choices.
        size: how many items the set has.

    Raises:
        ValueError: a count below 1, or not one finite difficulty for each item.

    >>> sample = draw(8, np.arange(100.0), np.random.default_rng(0), size=100)
    >>> sample.strata[sample.items < 50], sample.shares
    (array([0, 0, 0, 0]), array([0.5, 0.5]))
    """
    if count < 1:
        raise ValueError(f"expected to draw at least 1 item, got {count}")
    if difficulty is not None and (difficulty.shape != (size,) or not np.isfinite(difficulty).all()):
        raise ValueError(f"expected {size} finite difficulties, one for each item, got shape {list(difficulty.shape)}")
    if count >= size:
        return Sample(np.arange(size, dtype=np.int64), np.zeros(size, dtype=np.int64), np.ones(1))
    drawn, order = np.array([count]), np.arange(size, dtype=np.int64)
    if difficulty is not None:
        drawn = _drawn(count, rng)
        order = np.lexsort((rng.permutation(size), difficulty))
    ends = np.cumsum(drawn) * size // count
    sizes = np.diff(ends, prepend=0)
    strata = np.repeat(np.arange(len(drawn), dtype=np.int64), sizes)
    # Within each stratum the order is left to chance, and the first items are taken.
    mixed = order[np.lexsort((rng.random(size), strata))]
    taken = np.arange(size) - (ends - sizes)[strata] < drawn[strata]
    items, stratum = mixed[taken], strata[taken]
    ascending = np.argsort(items)
    return Sample(items[ascending], stratum[ascending], sizes / size)


def _drawn(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return how many items to draw of each stratum; chance says which of them give one more than others."""
    few, more = divmod(count, -(-count // _DRAWN))
    drawn = np.full(-(-count // _DRAWN), few, dtype=np.int64)
    drawn[:more] += 1
    return rng.permutation(drawn)
