"""What every surrogate can do."""

from typing import ClassVar, Protocol

from mapmerge.records import Array, JsonObject
from mapmerge.surrogates.links import Link


class Surrogate(Protocol):
    """A fitted stand-in for one objective; everything but eta is on the metric's own scale.

    Attributes:
        kind: name of the family, such as `quadratic`.
        link: between eta, which can be any number, and the score.
        measured: shape [n], the scores it was fitted to.
        items: shape [n], how many items stand behind each of them, or would be as precise if drawn simply at random.
        left_out: shape [n], what it predicts for each of them when that one is left out of the fit.
        condition: condition number of the fit's design; infinite where the design cannot identify the parameters.
    """

    kind: ClassVar[str]

    @property
    def link(self) -> Link:
        """The link between eta and the score."""

    @property
    def measured(self) -> Array:
        """Scores that were fitted, shape [n]."""

    @property
    def items(self) -> Array:
        """Items behind each score, shape [n]."""

    @property
    def left_out(self) -> Array:
        """Leave-one-out predictions, shape [n]."""

    @property
    def condition(self) -> float:
        """Condition number of the design."""

    @property
    def r2_cv(self) -> float | None:
        """Leave-one-out R squared; None where all measured scores are the same."""

    @property
    def loo_rmse(self) -> float:
        """Leave-one-out root mean squared error, in the metric's unit."""

    def predict(self, coefficients: Array) -> Array:
        """Return expected scores, shape [n], of candidates of shape [n, k]."""

    def gradient(self, coefficients: Array) -> Array:
        """Return d score / d coefficients, shape [n, k]."""

    def eta(self, coefficients: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, [n] each, of the score before the link, without measurement noise."""

    def interval(self, coefficients: Array, level: float = 0.9, *, items: float | None = None) -> tuple[Array, Array]:
        """Return lower and upper ends, each of shape [n], of intervals for fresh measurements.

        Args:
            coefficients: candidates, shape [n, k].
            level: wanted coverage, between 0 and 1.
            items: the noise to cover besides the surrogate's own error, as that of a measurement on so many items,
                counted as in `items` above: drawn simply at random, each as noisy as the link's noise model says.
                None: that of the fitted scores, on average.
        """

    def to_json(self) -> JsonObject:
        """Return everything needed to rebuild the surrogate, bit for bit."""
