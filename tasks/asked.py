"""A question while it is being measured: what is known of it, what is left to do, and when it is complete."""

from collections import Counter
from collections.abc import Collection

from mapmerge.records import Array, Evaluation, Question, Sample
from tasks.pool import Work
from tasks.run import Request, Run


class Asked:
    """A question whose answers come in one by one, beginning with what is known already.

    Args:
        run: the run that asks.
        question: what it asks.
    """

    def __init__(self, run: Run, question: Question) -> None:
        self.question = question
        self._requests = run.requests(question)
        with run.metrics.waiting("recall"):
            self._known = run.recall(self._requests)
        run.metrics.known(len(self._known))
        self._missing: dict[str, Request] = {}
        for request in self._requests:
            if request.key not in self._known:
                self._missing.setdefault(request.key, request)
        self._left = Counter(request.coefficients.tobytes() for request in self._missing.values())
        self.candidates = len({request.coefficients.tobytes() for request in self._requests})
        """How many candidates are asked about."""

    @property
    def done(self) -> int:
        """How many candidates are known in everything that is asked of them."""
        return self.candidates - len(self._left)

    @property
    def missing(self) -> Collection[str]:
        """Keys of what is not known yet."""
        return self._missing.keys()

    def work(self, besides: Collection[str] = ()) -> list[Work]:
        """Return what is to be measured, all of one candidate together: it is merged only once.

        Args:
            besides: keys that somebody measures already.
        """
        turns: Counter[tuple[bytes, str]] = Counter()
        pieces: dict[tuple[bytes, int], tuple[Array, dict[str, Sample | None]]] = {}
        for key, request in self._missing.items():
            if key not in besides:
                row, name = request.coefficients.tobytes(), request.objective
                # A second sample of the same objective needs a piece of work of its own.
                piece = pieces.setdefault((row, turns[row, name]), (request.coefficients, {}))
                piece[1][name] = request.sample
                turns[row, name] += 1
        split, repeat = self.question.split, self.question.repeat
        return [Work(row, split, wanted, repeat) for row, wanted in pieces.values()]

    def take(self, evaluation: Evaluation) -> None:
        """Take an answer; those that were not missing are passed over."""
        request = self._missing.pop(evaluation.key, None)
        if request is not None:
            self._known[evaluation.key] = evaluation
            row = request.coefficients.tobytes()
            self._left[row] -= 1
            if not self._left[row]:
                del self._left[row]

    def evaluations(self) -> list[Evaluation]:
        """Return the answers, one for each distinct request, in the order asked; nothing may be missing."""
        return [request.answer(self._known[request.key]) for request in self._requests]
