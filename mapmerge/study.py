"""A study: asks for measurements, is told their outcomes, and finds the front that they predict."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mapmerge.config import StudyConfig
from mapmerge.designs.initial import design
from mapmerge.designs.rank import require_identifiable
from mapmerge.errors import FailedRunError
from mapmerge.fronts.choose import choose
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.fronts.search import search_front
from mapmerge.randomness import generator
from mapmerge.records import Array, Evaluation, Objective, Question
from mapmerge.response import ResponseSurfaces, signs
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.gate import Verdict, check


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """A question and what was told of it.

    Args:
        question: the candidates, shape [n, k].
        evaluations: all that was measured or failed, in any order.
        scores: shape [n, m], NaN where a measurement failed; never handed to a fit without `~np.isnan`.
    """

    question: Question
    evaluations: tuple[Evaluation, ...]
    scores: Array


@dataclass(frozen=True, slots=True, eq=False)
class FinalQuestion:
    """What is measured on held-out items.

    Args:
        sets: candidates [n, k] by what they are: `delivered`, `base`, `experts`, `uniform`, `best_scalar`,
            `random_search`.
        scalar: the one behind `best_scalar`.
    """

    sets: dict[str, Array]
    scalar: float

    @property
    def question(self) -> Question:
        """All of them, as one question."""
        return Question("front", "held_out", np.vstack(list(self.sets.values())))


@dataclass(eq=False)
class Study:
    """The one object with a memory: `ask` what to measure, `tell` what came out, then `predict` the front.

    The same configuration and the same answers give the same questions, so a study is rebuilt by telling it again what
    the ledger holds.

    Args:
        config: the study file.
        objectives: the m objectives, in the order of the study file.
    """

    config: StudyConfig
    objectives: tuple[Objective, ...]
    rounds: list[Round] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        d, k = self.config.design, len(self.config.experts)
        rng = generator(self.config.seed, "design")
        self.design = design(d.kind, self.config.design_points, k, rng=rng, mass=d.mass, lower=d.lower, upper=d.upper)
        require_identifiable(self.design.coefficients)

    @property
    def signs(self) -> Array:
        """+1 for objectives to be maximised, -1 for the others: shape [m]."""
        return signs(self.objectives)

    # Asking and telling

    def ask(self) -> Question | None:
        """Return what to measure next on search items, or None when the search has what it needs.

        `map` asks for its design; where a surrogate then fails the gate and the budget is not spent, for more points.
        """
        if not self.rounds:
            return Question("design", "search", self.design.coefficients)
        measured = sum(len(done.question.coefficients) for done in self.search_rounds)
        left = self.config.evaluations - measured
        if left <= 0 or all(verdict.passed for verdict in self.gate(self.fit())):
            return None
        number = len(self.search_rounds)
        count = min(left, -(-self.config.design_points // 2))
        more = self.design.region.sample(count, generator(self.config.seed, "gate", number))
        return Question(f"gate-{number}", "search", more)

    def ask_scalars(self) -> Question:
        """Return task arithmetic with one scalar for all experts: the baseline that most people use."""
        scalars = np.asarray(self.config.baselines.scalars)[:, None]
        return Question("scalars", "search", scalars * np.ones(len(self.config.experts)))

    def ask_final(self, delivered: Array) -> "FinalQuestion":
        """Return what is to be measured on held-out items: the delivered points and every baseline.

        Args:
            delivered: what `predict` chose, shape [n, k].
        """
        k = len(self.config.experts)
        scalar, merge = self.best_scalar()
        return FinalQuestion(
            sets={
                "delivered": delivered,
                "base": np.zeros((1, k)),
                "experts": np.eye(k),
                "uniform": np.full((1, k), 1.0 / k),
                "best_scalar": merge[None],
                "random_search": self.random_search(),
            },
            scalar=scalar,
        )

    def tell(self, question: Question, evaluations: Sequence[Evaluation]) -> None:
        """Take the outcomes of a question; those of a question told before take the place of what was told.

        Raises:
            FailedRunError: more evaluations failed than `compute.max_failed_fraction` allows.
        """
        failed = [evaluation for evaluation in evaluations if evaluation.error is not None]
        allowed = self.config.compute.max_failed_fraction
        if len(failed) > allowed * len(evaluations):
            raise FailedRunError(
                f"round {question.name!r}: {len(failed)} of {len(evaluations)} evaluations failed, more than "
                f"compute.max_failed_fraction = {allowed:g} allows; the first: {failed[0].error}"
            )
        told = Round(question, tuple(evaluations), self._table(question, evaluations))
        self.rounds = [*(done for done in self.rounds if done.question.name != question.name), told]

    def _table(self, question: Question, evaluations: Sequence[Evaluation]) -> Array:
        told = {
            (evaluation.coefficients.tobytes(), evaluation.objective): evaluation.score for evaluation in evaluations
        }
        return np.array(
            [[told[row.tobytes(), objective.name] for objective in self.objectives] for row in question.coefficients]
        )

    @property
    def search_rounds(self) -> list[Round]:
        """The rounds that surrogates are fitted on: the design and what the gate added, not the baselines."""
        return [done for done in self.rounds if done.question.split == "search" and done.question.name != "scalars"]

    # What the answers say

    def searched(self) -> tuple[Array, Array]:
        """Return candidates [n, k] and scores [n, m] of all search rounds, without those that failed anywhere.

        Raises:
            FailedRunError: that leaves none.
        """
        coefficients = np.vstack([done.question.coefficients for done in self.search_rounds])
        scores = np.vstack([done.scores for done in self.search_rounds])
        whole = ~np.isnan(scores).any(axis=1)
        if not whole.any():
            raise FailedRunError(f"none of {len(scores)} candidates could be measured on every objective")
        return coefficients[whole], scores[whole]

    def fit(self) -> ResponseSurfaces:
        """Fit one surrogate an objective to everything measured on search items."""
        surrogates = []
        for objective in self.objectives:
            told = [
                evaluation
                for done in self.search_rounds
                for evaluation in sorted(done.evaluations, key=lambda evaluation: evaluation.key)
                if evaluation.objective == objective.name and evaluation.outcomes is not None
            ]
            if not told:
                raise FailedRunError(f"objective {objective.name!r}: every evaluation failed, there is nothing to fit")
            outcomes = [evaluation.outcomes for evaluation in told if evaluation.outcomes is not None]
            items = np.array([len(values) for values in outcomes], dtype=np.float64)
            surrogates.append(
                fit_quadratic(
                    np.vstack([evaluation.coefficients for evaluation in told]),
                    np.array([evaluation.score for evaluation in told]),
                    np.array([np.var(values, dtype=np.float64) for values in outcomes]) / items,
                    items,
                    objective.metric,
                )
            )
        return ResponseSurfaces(self.objectives, tuple(surrogates), self.design.region)

    def gate(self, surfaces: ResponseSurfaces) -> list[Verdict]:
        """Judge every surrogate."""
        gate = self.config.gate
        return [
            check(surrogate, min_r2=gate.min_r2, max_condition=gate.max_condition) for surrogate in surfaces.surrogates
        ]

    def normalisation(self) -> Normalisation:
        """Return the units of the search: 0 the worst unmerged model, 1 the best, an objective, on search items.

        The unmerged models are the base and the experts; a design without the base does with the experts. Where even
        those failed, the whole design takes their place.
        """
        coefficients, scores = self.searched()
        unmerged = np.isin(coefficients, (0.0, 1.0)).all(axis=1) & (coefficients.sum(axis=1) <= 1.0)
        anchors = scores[unmerged] if unmerged.sum() > 1 else scores
        return Normalisation.of(anchors * self.signs)

    def hypervolume(self) -> float:
        """Return the normalised hypervolume of everything measured on search items so far."""
        _, scores = self.searched()
        gains = self.normalisation().apply(scores * self.signs)
        return hypervolume(gains[nondominated(gains)], np.zeros(len(self.objectives)))

    def predict(self, surfaces: ResponseSurfaces) -> Array:
        """Search the surfaces and choose the points to deliver: coefficients, shape [n, k], n <= budget.front."""
        normalisation = self.normalisation()
        rng = generator(self.config.seed, "search")
        found = search_front(surfaces.landscape(), normalisation, rng=rng, kind=self.config.search.kind)
        return found.coefficients[self._best_of(found.gains, normalisation)]

    # Baselines

    def best_scalar(self) -> tuple[float, Array]:
        """Return the scalar whose merge has the best mean normalised score on search items, and its coefficients."""
        scalars = next(done for done in self.rounds if done.question.name == "scalars")
        gains = self.normalisation().apply(scalars.scores * self.signs).mean(axis=1)
        best = int(np.argmax(np.where(np.isnan(gains), -np.inf, gains)))
        return self.config.baselines.scalars[best], scalars.question.coefficients[best]

    def random_search(self) -> Array:
        """Return what a search without surrogates delivers for the same evaluations: shape [n, k], n <= budget.front.

        The candidates of the design were chosen without looking at any score: they are a random search at equal budget,
        in the same region and with the same anchors. It keeps those that are not dominated on search items.
        """
        coefficients, scores = self.searched()
        return coefficients[self._best_of(scores * self.signs, self.normalisation())]

    def _best_of(self, gains: Array, normalisation: Normalisation) -> NDArray[np.intp]:
        """Choose at most budget.front points; where none is above the reference, of those that are not dominated."""
        chosen = choose(gains, self.config.budget.front, normalisation)
        return chosen if len(chosen) else np.flatnonzero(nondominated(gains))[: self.config.budget.front]
