"""A study: asks for measurements, is told their outcomes, and finds the front that they predict."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mapmerge.config import StudyConfig
from mapmerge.errors import FailedRunError
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.history import History, Round
from mapmerge.methods.choice import best_of
from mapmerge.methods.protocol import Brief
from mapmerge.methods.registry import method_of
from mapmerge.methods.samples import samples_for, scalar_counts
from mapmerge.methods.surfaces import gate, is_sampled
from mapmerge.methods.units import measured, search_units
from mapmerge.records import Array, Evaluation, Objective, Question, Wanted
from mapmerge.response import ResponseSurfaces
from mapmerge.surrogates.gate import Verdict
from mapmerge.threads import one_blas_thread

_REPEATS = 4
"""How often one merge is measured to see how much an evaluator that is not deterministic scatters."""

_TRIED = 10
"""Candidates that count as tried at least, when the share of failures is judged: one failure of one is no share."""


@dataclass(frozen=True, slots=True, eq=False)
class FinalQuestion:
    """What is measured on held-out items.

    Args:
        sets: candidates [n, k] by what they are: `delivered`, `base`, `experts`, `uniform`, `best_scalar`,
            `random_search`, `before_refinement`.
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

    The same answers give the same questions, so a study is rebuilt by telling it again what the ledger holds.

    Args:
        config: the study file.
        objectives: the m objectives, in the order of the study file.
        items: how many search items each objective has, length m.
        held_out: how many held-out items each objective has, length m.
        unstable: names of the objectives whose evaluator does not give the same outcomes when it is asked again.

    Raises:
        ConfigError: the study does not fit its method.

    Two made-up objectives, each with an expert that is best at it; no file is opened (step by step: `docs/python.md`).

    >>> from mapmerge import Evaluation, Metric, Objective, Study, StudyConfig
    >>> best, files = {"left": [1, 0], "right": [0, 1]}, dict.fromkeys(("evaluator", "search", "held_out"), "none")
    >>> named = [{"name": name, "checkpoint": "none"} for name in best], [{"name": name, **files} for name in best]
    >>> config = StudyConfig(name="a", base="b", architecture="c", experts=named[0], objectives=named[1], method="map")
    >>> goals = tuple(Objective(name, Metric("accuracy", 0.0, 1.0, True)) for name in best)
    >>> study = Study(config, goals, items=(90, 90), held_out=(90, 90))
    >>> while (question := study.ask()) is not None:
    ...     right = [(c, name, np.exp(-np.sum((c - best[name]) ** 2))) for c, name, _ in question.requests(list(best))]
    ...     items = [(f"{name} {c}", c, name, "search", np.float32(np.arange(90) < 90 * s)) for c, name, s in right]
    ...     study.tell(question, [Evaluation(*each) for each in items])
    >>> assert (study.predict(study.fit()).max(axis=0) > 0.5).all()  # merges near either expert are delivered
    """

    config: StudyConfig
    objectives: tuple[Objective, ...]
    items: tuple[int, ...]
    held_out: tuple[int, ...]
    unstable: tuple[str, ...] = ()
    rounds: list[Round] = field(default_factory=list, init=False)
    _asked: list[Question] = field(default_factory=list, init=False)
    _known: list[Question] = field(default_factory=list, init=False)
    _last: History = field(init=False)

    def __post_init__(self) -> None:
        self.brief = Brief(self.config, self.objectives, self.items, self.held_out)
        self.method = method_of(self.brief)
        self._last = History(self.brief.names)

    @property
    def signs(self) -> Array:
        """+1 for objectives to be maximised, -1 for the others: shape [m]."""
        return self.brief.signs

    # Asking and telling

    @property
    def overlap(self) -> int:
        """How many questions may be out at a time."""
        return self.method.overlap

    @property
    def pending(self) -> tuple[Question, ...]:
        """The search questions that were asked and not told, oldest first."""
        told = {done.question.name for done in self.rounds}
        return tuple(question for question in self._asked if question.name not in told)

    def ask(self) -> Question | None:
        """Return what to measure next on search items, or None where nothing can be asked.

        That is so while an answer is pending that the next question needs, and when nothing is pending: then the
        search is over.
        """
        sees = max(0, len(self._asked) - self.overlap + 1)
        history = self._told(self._asked[:sees])
        if len(history) < sees:
            return None
        with one_blas_thread():
            question = self.method.ask(history, tuple(self._asked[sees:]))
        if question is not None:
            self._asked.append(question)
        return question

    def adopt(self, question: Question) -> None:
        """Count a question among those of the search that somebody else asks, such as a node of a merge tree.

        It is told like any other. Adopting it again changes nothing.
        """
        if question.name not in (asked.name for asked in self._asked):
            self._asked.append(question)

    def know(self, question: Question) -> None:
        """Count a question as one that was answered before the search began, such as those of an earlier run.

        It is told like any other, teaches the surrogates, and is not among what the search asked or spent.
        """
        self._known.append(question)

    def ask_repeats(self) -> list[Question]:
        """Return the questions that measure one and the same merge again, for the objectives that are unstable.

        The uniform merge on all search items stands for every candidate.
        """
        if not self.unstable:
            return []
        uniform = np.full((1, self.brief.k), 1.0 / self.brief.k)
        wanted: Wanted = dict.fromkeys(self.unstable)
        return [
            Question(f"repeat-{number}", "search", uniform, (wanted,), repeat=number)
            for number in range(1, _REPEATS + 1)
        ]

    def ask_scalars(self) -> Question:
        """Return task arithmetic with one scalar for all experts: the baseline that most people use.

        Where candidates of the search saw samples, all scalars are measured on one and the same, twice as large: enough
        to tell them apart, for errors that they share do not count. The best one is measured on all held-out items.
        """
        scalars = np.asarray(self.config.baselines.scalars)[:, None]
        coefficients = scalars * np.ones(self.brief.k)
        (one,) = samples_for(self.brief, "scalars", 1, scalar_counts(self.brief, self._asked[0])) or (None,)
        return Question("scalars", "search", coefficients, None if one is None else (one,) * len(scalars))

    def ask_final(self, delivered: Array, unrefined: Array | None = None) -> "FinalQuestion":
        """Return what is to be measured on held-out items: the delivered points and every baseline.

        There is no random search where no candidate was chosen blindly.

        Args:
            delivered: what `predict` chose, shape [n, k].
            unrefined: those of them that a last search started from, shape [n, k]; None where there was none.
        """
        k = self.brief.k
        scalar, merge = self.best_scalar()
        return FinalQuestion(
            sets={
                "delivered": delivered,
                "base": np.zeros((1, k)),
                "experts": np.eye(k),
                "uniform": np.full((1, k), 1.0 / k),
                "best_scalar": merge[None],
                **({"random_search": self.random_search()} if self._blind.rounds else {}),
                **({} if unrefined is None else {"before_refinement": unrefined}),
            },
            scalar=scalar,
        )

    def tell(self, question: Question, evaluations: Sequence[Evaluation]) -> None:
        """Take the outcomes of a question; those of a question told before take the place of what was told.

        Raises:
            FailedRunError: more evaluations failed than `compute.max_failed_fraction` allows.
        """
        told = History(self.brief.names, tuple(self.rounds)).told(question, evaluations)
        self._require_enough(question, told)
        self.rounds = list(told.rounds)

    def _require_enough(self, question: Question, told: History) -> None:
        same = [done for done in told.rounds if done.question.split == question.split]
        tried = [evaluation for done in same for evaluation in done.evaluations]
        failed = [evaluation for evaluation in tried if evaluation.error is not None]
        allowed = self.config.compute.max_failed_fraction
        if len(failed) > allowed * max(len(tried), _TRIED * len(self.objectives)):
            raise FailedRunError(
                f"round {question.name!r}: {len(failed)} of {len(tried)} evaluations on {question.split} items failed, "
                f"more than compute.max_failed_fraction = {allowed:g} allows; the first: {failed[0].error}"
            )

    @property
    def _blind(self) -> History:
        """The rounds whose candidates were chosen without looking at any score."""
        return History(self.brief.names, tuple(done for done in self.history.rounds if done.question.blind))

    @property
    def history(self) -> History:
        """The rounds that surrogates are fitted on: what the method asked for, not the baselines."""
        return self._told(self._asked)

    def _told(self, asked: list[Question]) -> History:
        """Return what was told of some questions; the very same object as long as it says the same."""
        rounds = {done.question.name: done for done in self.rounds}
        told, before = (
            tuple(rounds[question.name] for question in questions if question.name in rounds)
            for questions in (asked, self._known)
        )
        if list(map(id, told + before)) != list(map(id, self._last.rounds + self._last.before)):
            self._last = History(self.brief.names, told, before)
        return self._last

    # What the answers say

    def fit(self) -> ResponseSurfaces:
        """Fit one surrogate an objective to everything measured on search items."""
        with one_blas_thread():
            return self.method.fit(self.history)

    def repeat_scatter(self) -> dict[str, float]:
        """Return the standard deviation of the score of one merge measured again and again, for unstable objectives."""
        repeats = [each for done in self.rounds if done.question.repeat for each in done.evaluations]
        scores = {
            name: [each.score for each in repeats if each.objective == name and not each.error]
            for name in self.unstable
        }
        return {name: float(np.std(found, ddof=1)) for name, found in scores.items() if len(found) > 1}

    def gate(self, surfaces: ResponseSurfaces) -> list[Verdict]:
        """Judge every surrogate."""
        return gate(self.brief, self.history, surfaces)

    def normalisation(self) -> Normalisation:
        """Return the units of the search: 0 the worst unmerged model, 1 the best, an objective, on search items."""
        return search_units(self.brief, self.history, self.fit())

    def hypervolume(self) -> float:
        """Return the normalised hypervolume of the candidates measured on search items so far.

        Where evaluations see a sample of the items, it is that of the scores which the surrogates predict of them: the
        best of many noisy scores would promise too much.
        """
        history = self.history
        coefficients, gains = measured(self.brief, history)
        surfaces = self.fit()
        if is_sampled(self.brief, history):
            gains = surfaces.scores(coefficients) * self.signs
        unit = search_units(self.brief, history, surfaces).apply(gains)
        return hypervolume(unit[nondominated(unit)], np.zeros(len(self.objectives)))

    def predict(self, surfaces: ResponseSurfaces) -> Array:
        """Choose the points to deliver: coefficients, shape [n, k], n <= budget.front."""
        with one_blas_thread():
            return self.method.deliver(self.history, surfaces)

    # Baselines

    def best_scalar(self) -> tuple[float, Array]:
        """Return the scalar whose merge has the best mean normalised score on search items, and its coefficients."""
        scalars = next(done for done in self.rounds if done.question.name == "scalars")
        seen = History(self.brief.names, (scalars,)).observations
        gains = self.normalisation().apply(seen.scores * self.signs).mean(axis=1)
        best = int(np.argmax(np.where(np.isnan(gains), -np.inf, gains)))
        return self.config.baselines.scalars[best], seen.coefficients[best]

    def random_search(self) -> Array:
        """Return what a search without surrogates delivers: shape [n, k], n <= budget.front.

        The candidates that were chosen without looking at any score are a random search, in the same region and with
        the same anchors. It keeps those that are not dominated on search items.
        """
        coefficients, gains = measured(self.brief, self._blind)
        return coefficients[best_of(gains, self.config.budget.front, self.normalisation())]

    def random_share(self) -> float:
        """Return what the random search cost, as a share of the items of the whole search."""
        return self.brief.spent(self._blind) / self.brief.spent(self.history)
