"""What an executor is: takes candidates, gives their measurements in the order in which they finish."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from mapmerge.config.sections import Compute
from mapmerge.records import Array, Split, Wanted
from tasks.resident import Blueprint, Measured


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One candidate and what it is to be measured on.

    Args:
        coefficients: float64, shape [k].
        split: the item sets to use.
        wanted: objectives, each with its sample of items, or None for all of them.
        repeat: how often the same was measured before, knowingly.
    """

    coefficients: Array
    split: Split
    wanted: Wanted
    repeat: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A piece of work with one result an objective; `in_flight` counts the pieces still being measured."""

    work: Work
    measured: list[Measured]
    in_flight: int
    attempts: int = 1


class Pool(Protocol):
    """An executor: `SerialPool` or `RayPool`."""

    @property
    def actors(self) -> int:
        """How many candidates are measured at a time."""
        ...

    def run(self, work: Iterable[Work | None]) -> Iterator[Finished]:
        """Yield every piece of work exactly once, measured or failed.

        Args:
            work: asked for the next piece only when there is room for it. It may give None where it has nothing at the
                moment: then it is asked again after something has finished. When nothing is in flight that could
                finish, None is its end.
        """
        ...

    def close(self) -> None:
        """Free the actors."""
        ...


@contextmanager
def open_pool(compute: Compute, blueprint: Blueprint) -> Iterator[Pool]:
    """Give an executor for the time of a `with` block.

    Raises:
        BadInputError: the models or item sets cannot be used.
        FailedRunError: no cluster at the address, or not the resources that an actor asks for.
    """
    pool: Pool
    if compute.executor == "serial":
        from tasks.serial import SerialPool

        pool = SerialPool(blueprint)
    else:
        from tasks.ray_pool import RayPool  # importing Ray takes a second

        pool = RayPool(compute, blueprint)
    try:
        yield pool
    finally:
        pool.close()
