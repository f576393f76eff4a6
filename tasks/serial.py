"""The executor for one process: no Ray, one candidate after the other."""

from collections.abc import Iterable, Iterator

from tasks.pool import Finished, Work
from tasks.resident import Blueprint, Resident


class SerialPool:
    """Measures in this process. The reference that every other executor must equal bit for bit."""

    actors = 1

    def __init__(self, blueprint: Blueprint) -> None:
        self._resident = Resident(blueprint)

    def run(self, work: Iterable[Work | None]) -> Iterator[Finished]:
        """Yield every piece of work with its results, until there is no more or, since nothing is in flight, None."""
        for piece in work:
            if piece is None:
                return
            yield Finished(piece, self._resident.measure(piece.coefficients, piece.split, piece.wanted), in_flight=0)

    def close(self) -> None:
        """Forget the models."""
        del self._resident
