"""The words that every room of the library shares, as frozen values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Float64 array; the docstring that uses it gives its shape."""

Split = Literal["search", "held_out"]
"""Item sets come in two disjoint splits: the front is found on one and reported on the other."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What an evaluator reports for each item; the score of a model is the mean over items.

    Args:
        name: such as `accuracy`.
        lower: the smallest value the mean can take, or None where it is unbounded.
        upper: the largest value the mean can take, or None where it is unbounded.
        maximize: whether larger is better.

    >>> Metric("accuracy", lower=0.0, upper=1.0, maximize=True).link
    'logistic'
    >>> Metric("cross_entropy", lower=0.0, upper=None, maximize=False).link
    'softplus'
    """

    name: str
    lower: float | None
    upper: float | None
    maximize: bool

    @property
    def link(self) -> Literal["logistic", "softplus", "identity"]:
        """The link function that keeps a quadratic inside the metric's range (arXiv 2406.07529, Eq. 5)."""
        if self.lower is None:
            return "identity"
        return "softplus" if self.upper is None else "logistic"

    @property
    def sign(self) -> float:
        """+1 where larger is better, -1 where smaller is: `sign * score` is always to be maximised."""
        return 1.0 if self.maximize else -1.0


@dataclass(frozen=True, slots=True)
class Objective:
    """A named goal: one metric on one pair of item sets."""

    name: str
    metric: Metric


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Items that were drawn at random within strata of an item set.

    Args:
        items: int64, shape [s], ascending and distinct indices into the item set.
        strata: int64, shape [s], the stratum of each of them, 0 to h - 1; none is without items.
        shares: shape [h], the share of the whole item set that each stratum has; they sum to 1.

    >>> halves = Sample(np.array([0, 3, 7]), np.array([0, 0, 1]), np.array([0.5, 0.5]))
    >>> halves.weights
    array([0.25, 0.25, 0.5 ])
    """

    items: NDArray[np.int64]
    strata: NDArray[np.int64]
    shares: Array

    @property
    def weights(self) -> Array:
        """How much the outcome of each item counts in the score, shape [s]; they sum to 1."""
        drawn = np.bincount(self.strata, minlength=len(self.shares))
        weights: Array = (self.shares / drawn)[self.strata]
        return weights


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One measured candidate on one objective, or the reason why it could not be measured.

    Args:
        key: content address of the measurement (hex SHA-256 of everything that determines it).
        coefficients: float64, shape [k], in the study's order of experts.
        objective: name of the objective.
        split: which item set was used.
        outcomes: float32, shape [i], the metric for every item; None where the measurement failed.
        seconds: what it took, wall clock.
        error: None, or one line that says why there are no outcomes.
        reused: True where the ledger already had it, so that this run paid nothing.
        sample: the items that were measured; None where it was all of them.
        margins: float32, shape [i], by how much each outcome is 1 (above 0) or 0; None where the evaluator tells none.
    """

    key: str
    coefficients: Array
    objective: str
    split: Split
    outcomes: NDArray[np.float32] | None
    seconds: float = 0.0
    error: str | None = None
    reused: bool = False
    sample: Sample | None = None
    margins: NDArray[np.float32] | None = None

    @property
    def score(self) -> float:
        """Mean over the item set, as far as the items measured tell; NaN where none was (check `error` first)."""
        if self.outcomes is None:
            return math.nan
        if self.sample is None:
            return float(np.mean(self.outcomes, dtype=np.float64))
        return float(self.sample.weights @ self.outcomes.astype(np.float64))

    @property
    def items(self) -> int:
        """How many items were put through the model."""
        return 0 if self.outcomes is None else len(self.outcomes)


Wanted = Mapping[str, Sample | None]
"""The objectives that one candidate is to be measured on, each with its items; None: all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Candidates that a study wants measured: the unit that a flow shows as one round.

    Args:
        name: what the round is for, such as `design` or `front`.
        split: the item sets to measure on.
        coefficients: float64, shape [n, k].
        wanted: for each candidate the objectives it is to be measured on, each with its sample of items, or None for
            all items. None: every objective on all items.
        repeat: above 0 the measurement is made again although its outcome is known, to see whether it is the same.
        region: where the candidates were proposed, as JSON; None where the study's own region is meant.
        blind: whether the candidates were chosen without looking at any score.
        front: the front that was predicted when the candidates were chosen, shape [f, k]; None where none was.
    """

    name: str
    split: Split
    coefficients: Array
    wanted: tuple[Wanted, ...] | None = None
    repeat: int = 0
    region: Mapping[str, Any] | None = None
    blind: bool = False
    front: Array | None = None

    def requests(self, objectives: Sequence[str]) -> list[tuple[Array, str, Sample | None]]:
        """Return what is to be measured, one entry an evaluation: a candidate, an objective and the items.

        Args:
            objectives: names of all objectives, for candidates that say nothing of their own.
        """
        everything: Wanted = dict.fromkeys(objectives)
        wanted = self.wanted or (everything,) * len(self.coefficients)
        return [
            (row, name, sample)
            for row, asked in zip(self.coefficients, wanted, strict=True)
            for name, sample in asked.items()
        ]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with a confidence interval, in the unit of the quantity."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Return the three numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high}


JsonObject = Mapping[str, Any]
"""A JSON object as `json.loads` returns it."""
