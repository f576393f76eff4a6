"""What a study was told, in the order in which it asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array, Evaluation, Question, Sample
from mapmerge.sampling.estimate import pool


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """A question and what was told of it.

    Args:
        question: what was asked.
        evaluations: one for each of the question's requests, in their order, measured or failed.
    """

    question: Question
    evaluations: tuple[Evaluation, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """What is known of every candidate, all its samples taken together.

    Args:
        coefficients: the candidates, shape [n, k], no two alike, in the order in which they were asked about.
        scores: shape [n, m], NaN where not measured.
        variances: sampling variance of each score, shape [n, m], NaN where not measured.
        items: how many items stand behind each score, shape [n, m], 0 where not measured.
        failed: where a measurement was tried and none succeeded, shape [n, m].
    """

    coefficients: Array
    scores: Array
    variances: Array
    items: Array
    failed: NDArray[np.bool_]

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Which candidates were measured on every objective, shape [n]."""
        return np.asarray((self.items > 0).all(axis=1))


@dataclass(frozen=True, eq=False)
class History:
    """The rounds of a search, oldest first.

    Args:
        objectives: names of the m objectives.
        rounds: what was asked and told.
        before: what was known when the search began, from somebody else: it counts as measured, but not as anything
            that the search has asked or spent.
    """

    objectives: tuple[str, ...]
    rounds: tuple[Round, ...] = ()
    before: tuple[Round, ...] = ()

    def __len__(self) -> int:
        return len(self.rounds)

    @cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Every measurement once, failed ones included, in the order asked."""
        return _once((*self.before, *self.rounds))

    @cached_property
    def asked(self) -> tuple[Evaluation, ...]:
        """Those of them that the search itself asked for."""
        return _once(self.rounds)

    def of(self, objective: str) -> list[Evaluation]:
        """Return what was measured of one objective, without what failed."""
        return [each for each in self.evaluations if each.objective == objective and each.error is None]

    @cached_property
    def observations(self) -> Observations:
        """What is known of every candidate."""
        rows: dict[bytes, Array] = {}
        cells: dict[tuple[bytes, str], list[Evaluation]] = {}
        for evaluation in self.evaluations:
            place = evaluation.coefficients.tobytes()
            rows.setdefault(place, evaluation.coefficients)
            cells.setdefault((place, evaluation.objective), []).append(evaluation)
        shape = (len(rows), len(self.objectives))
        scores, variances, items = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
        failed = np.zeros(shape, dtype=np.bool_)
        for row, place in enumerate(rows):
            for column, name in enumerate(self.objectives):
                tried = cells.get((place, name), [])
                measured = [evaluation for evaluation in tried if evaluation.error is None]
                failed[row, column] = bool(tried) and not measured
                if measured:
                    scores[row, column], variances[row, column], items[row, column] = pool(measured)
        coefficients = np.vstack(list(rows.values())) if rows else np.zeros((0, 0))
        return Observations(coefficients, scores, variances, items, failed)

    def margins(self, objective: str, size: int) -> NDArray[np.float32] | None:
        """Return by how much each item was right: shape [n, size], the candidates as in `observations`.

        NaN where a candidate did not see an item; where it did more than once, the last time counts. None where no
        evaluation has margins.

        Args:
            objective: its name.
            size: how many items the set has.
        """
        told = [each for each in self.of(objective) if each.margins is not None]
        if not told:
            return None
        places = {row.tobytes(): place for place, row in enumerate(self.observations.coefficients)}
        table = np.full((len(places), size), np.nan, dtype=np.float32)
        for each in told:
            table[places[each.coefficients.tobytes()], slice(None) if each.sample is None else each.sample.items] = (
                each.margins
            )
        return table

    def told(self, question: Question, evaluations: Sequence[Evaluation]) -> "History":
        """Return this history with one round more; a question told before is told anew in its place."""
        answers = {_place(each.coefficients, each.objective, each.sample): each for each in evaluations}
        ordered = tuple(answers[_place(row, name, sample)] for row, name, sample in question.requests(self.objectives))
        done = Round(question, ordered)
        names = [each.question.name for each in self.rounds]
        if question.name in names:
            at = names.index(question.name)
            return replace(self, rounds=(*self.rounds[:at], done, *self.rounds[at + 1 :]))
        return replace(self, rounds=(*self.rounds, done))


def _once(rounds: Sequence[Round]) -> tuple[Evaluation, ...]:
    # Objectives that are measured in the same way share their keys.
    return tuple({(each.key, each.objective): each for done in rounds for each in done.evaluations}.values())


def _place(coefficients: Array, objective: str, sample: Sample | None) -> tuple[bytes, str, bytes]:
    return coefficients.tobytes(), objective, b"" if sample is None else sample.items.tobytes()
