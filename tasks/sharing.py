"""The work of one question, or of several, shared with other runs: what they measure now is waited for, not paid."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from mapmerge.records import Evaluation
from tasks.pool import Finished, Work
from tasks.progress import Progress, report
from tasks.run import Run

_LOOK_S = 0.5
"""Seconds between two looks at what other runs measure."""


class Sharing:
    """Hands out what nobody else measures, and takes what others measured once it is in the ledger.

    Every piece of work is claimed when it is handed out (see `mapmerge.ledger.claims`), and the ledger is looked at
    again then. What somebody else has claimed comes last: as an answer when it is recorded, or to be measured here when
    it was given up.

    Args:
        run: whose work it is.
        take: called with each answer that another run paid for.
    """

    def __init__(self, run: Run, take: Callable[[Evaluation], None]) -> None:
        self._run, self._take = run, take
        self._held: set[str] = set()
        self._others: list[Work] = []
        self._due = 0.0

    def hand_out(self, work: Iterable[Work | None]) -> Iterator[Work | None]:
        """Yield the work that is to be measured here; None where there is none until something has finished.

        Args:
            work: all that is asked for, as `Pool.run` takes it.
        """
        for piece in work:
            if piece is not None:
                yield from self._claimed(piece)
            elif self._others and (not self._held or self._is_due()):
                yield from self._look()
            else:  # something will finish, and the work is asked again then
                yield None
        while self._others:
            if self._held and not self._is_due():
                yield None
            else:
                yield from self._look()

    def finished(self, finished: Finished) -> list[Evaluation]:
        """Record what came of a piece of work, and let others measure what failed."""
        with self._run.metrics.waiting("keep"):
            evaluations = self._run.keep(finished)
            self._give_back(evaluation.key for evaluation in evaluations)
        self._run.metrics.in_flight(finished.in_flight)
        self._run.metrics.paid(evaluations)
        return evaluations

    def close(self) -> None:
        """Give back what was claimed and not measured."""
        self._give_back(list(self._held))

    def _claimed(self, piece: Work) -> Iterator[Work]:
        """Yield what is ours of a piece, unless the ledger has it by now."""
        requests = {request.key: request for request in self._run.requests_of(piece)}
        with self._run.metrics.waiting("claim"):
            ours = self._run.claims.take(requests)
            self._held |= ours
            known = self._run.recall(requests.values())
            self._give_back(known.keys() & ours)
        self._run.metrics.known(len(known))
        for evaluation in known.values():
            self._take(evaluation)
        left = {key: request.objective for key, request in requests.items() if key not in known}
        mine = [name for key, name in left.items() if key in ours]
        others = [name for key, name in left.items() if key not in ours]
        if others:
            self._others.append(_part(piece, others))
        if mine:
            yield _part(piece, mine)

    def _look(self) -> Iterator[Work]:
        """Look again at what others measure, when it is time."""
        report(Progress("waiting for what another run measures"))
        time.sleep(max(0.0, self._due - time.monotonic()))
        others, self._others = self._others, []
        for piece in others:
            yield from self._claimed(piece)
        self._due = time.monotonic() + _LOOK_S

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due

    def _give_back(self, keys: Iterable[str]) -> None:
        back = list(keys)
        self._held.difference_update(back)
        self._run.claims.give_back(back)


def _part(piece: Work, objectives: list[str]) -> Work:
    """Return a piece of work for some of its objectives."""
    return replace(piece, wanted={name: piece.wanted[name] for name in objectives})
