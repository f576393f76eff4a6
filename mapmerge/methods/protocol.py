"""What a method is, and what it is told about the study it works for."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mapmerge.config import StudyConfig
from mapmerge.designs.initial import Design, design
from mapmerge.history import History
from mapmerge.randomness import generator
from mapmerge.records import Array, Objective, Question
from mapmerge.response import ResponseSurfaces, signs


@dataclass(frozen=True, slots=True, eq=False)
class Brief:
    """Everything that a method may know before anything is measured.

    Args:
        config: the study file.
        objectives: m objectives.
        items: how many search items each of them has, length m.
        held_out: how many held-out items each of them has, length m.
    """

    config: StudyConfig
    objectives: tuple[Objective, ...]
    items: tuple[int, ...]
    held_out: tuple[int, ...]

    @property
    def k(self) -> int:
        """How many experts there are."""
        return len(self.config.experts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objectives."""
        return tuple(objective.name for objective in self.objectives)

    @property
    def signs(self) -> Array:
        """+1 for objectives to be maximised, -1 for the others: shape [m]."""
        return signs(self.objectives)

    @property
    def unit(self) -> int:
        """Items of one full evaluation of all objectives."""
        return sum(self.items)

    @property
    def budget(self) -> int:
        """Items that the search may put through a model."""
        return self.config.evaluations * self.unit

    def spent(self, history: History) -> int:
        """Return how many items the rounds were to put through a model, whoever paid for it and whatever came of it.

        What failed counts: a search that got it back for free could go on for ever.
        """
        sizes = dict(zip(self.names, self.items, strict=True))
        return sum(sizes[each.objective] if each.sample is None else len(each.sample.items) for each in history.asked)

    def rng(self, *purpose: str | int) -> np.random.Generator:
        """Return the random generator of one purpose."""
        return generator(self.config.seed, *purpose)

    def first(self, n: int, *, identify: bool = False) -> Design:
        """Return the first n candidates and the region they were drawn from, as the study's `design` says.

        Args:
            n: how many candidates.
            identify: whether they must be enough to identify a quadratic.

        Raises:
            ConfigError: the design cannot be made.
        """
        d = self.config.design
        options = {"mass": d.mass, "lower": d.lower, "upper": d.upper}
        return design(d.kind, n, self.k, rng=self.rng("design"), identify=identify, **options)  # type: ignore[arg-type]


class Method(Protocol):
    """A way to spend the budget. What it asks depends on its arguments only, never on what it was asked before."""

    @property
    def overlap(self) -> int:
        """How many questions may be out at a time: 1 for rounds.

        With more, the question after j others is made from the outcomes of the first j - overlap + 1 of them, in the
        order asked; the rest is pending, whether or not its outcomes have arrived. So the questions never depend on
        which machine was fast.
        """
        ...

    def ask(self, history: History, pending: tuple[Question, ...]) -> Question | None:
        """Return what to measure next on search items, or None when the search is over.

        Args:
            history: the rounds that it may look at.
            pending: what was asked after them.
        """
        ...

    def fit(self, history: History) -> ResponseSurfaces:
        """Fit one surrogate an objective to what was measured.

        Raises:
            FailedRunError: every evaluation of an objective failed.
        """
        ...

    def deliver(self, history: History, surfaces: ResponseSurfaces) -> Array:
        """Choose what is measured on held-out items: coefficients, shape [n, k], 1 <= n <= budget.front.

        Args:
            history: all rounds of the search.
            surfaces: what `fit` made of them.
        """
        ...
