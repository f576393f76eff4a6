"""Live progress: tasks say what happened, whoever drives the run may listen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    Args:
        stage: the task or round under way.
        done: candidates finished in this round, failed ones included. Of a stream of rounds: the share of the budget
            that is spent, in evaluations of every objective on all its items.
        total: candidates of this round, or the budget.
        failed: evaluations of this round that failed.
        in_flight: candidates being measured now.
        hypervolume: of what has been measured on search items, normalised; known when a search round has ended.
        ended: whether this is the last word on the round.
    """

    stage: str
    done: int = 0
    total: int = 0
    failed: int = 0
    in_flight: int = 0
    hypervolume: float | None = None
    ended: bool = False


Listener = Callable[[Progress], None]

_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send every progress event of this context to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(progress: Progress) -> None:
    """Tell the listener, if there is one, where the run stands."""
    listener = _listener.get()
    if listener is not None:
        listener(progress)
