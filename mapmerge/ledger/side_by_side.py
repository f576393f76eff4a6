"""A few things that wait for a store, done at the same time."""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_MOST = 16

_Thing = TypeVar("_Thing")
_Outcome = TypeVar("_Outcome")


def side_by_side(act: Callable[[_Thing], _Outcome], things: Collection[_Thing]) -> list[tuple[_Thing, _Outcome]]:
    """Do something with each of a few things in threads; return each with its outcome, in order.

    >>> side_by_side(abs, [-2, 1])
    [(-2, 2), (1, 1)]
    """
    if len(things) < 2:
        return [(thing, act(thing)) for thing in things]
    with ThreadPoolExecutor(min(len(things), _MOST)) as threads:
        return list(zip(things, threads.map(act, things), strict=True))
