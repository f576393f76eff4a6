"""Make a server as it should be: what is missing is created, what differs is changed, all else is left alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from flows.deploying.api import PrefectApi
from flows.deploying.wanted import Thing


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one thing.

    Args:
        label: what it is and what it is called.
        state: what was done to it, or would have been.
        differs: of one that is changed, in what it differed.
    """

    label: str
    state: Literal["created", "changed", "unchanged"]
    differs: tuple[str, ...] = ()


def reconcile(things: Iterable[Thing], api: PrefectApi, *, dry_run: bool = False) -> Iterator[Outcome]:
    """Yield what becomes of each thing, in order.

    Args:
        things: each after those that it needs.
        api: of the server.
        dry_run: only find out what would be done.

    Raises:
        BadInputError: the server has one that cannot be made so.
    """
    for thing in things:
        found = thing.find(api)
        if found is None:
            if not dry_run:
                thing.create(api)
            yield Outcome(thing.label, "created")
            continue
        differs = tuple(key for key, value in thing.values.items() if found[key] != value)
        if differs and not dry_run:
            thing.change(api)
        yield Outcome(thing.label, "changed" if differs else "unchanged", differs)
