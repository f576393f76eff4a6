"""What all fitted surrogates have in common: what they were fitted to, what they are off by, and how they are kept."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from mapmerge.records import Array, JsonObject
from mapmerge.surrogates.intervals import interval
from mapmerge.surrogates.left_out import r2, rmse
from mapmerge.surrogates.links import Link
from mapmerge.surrogates.plain import from_plain, to_plain


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted(ABC):
    """A surrogate of z = (coefficients - centre) / scale behind a link.

    Args:
        link: between eta and the score.
        centre: shape [k], mean of the measured coefficients.
        scale: shape [k], their standard deviation.
        misfit: variance, on the eta scale, of what the surrogate cannot follow.
        noise: variance of one measurement by its items, in units of the link's noise model.
        freedom: degrees of freedom that the errors were estimated with.
        measured: shape [n], the scores it was fitted to.
        items: shape [n], how many items stand behind each.
        left_out: shape [n], what it predicts for each of them when that one is left out.
        condition: condition number of the features of the measured candidates; infinite where they do not tell the
            parameters apart.
    """

    kind: ClassVar[str]
    schema: ClassVar[str]
    shapes: ClassVar[dict[str, str]] = {"centre": "k", "scale": "k", "measured": "n", "items": "n", "left_out": "n"}
    """A letter for each dimension of each array, p and k being what they are everywhere."""

    link: Link
    centre: Array
    scale: Array
    misfit: float
    noise: float
    freedom: float
    measured: Array
    items: Array
    left_out: Array
    condition: float

    @property
    def loo_rmse(self) -> float:
        """Leave-one-out root mean squared error, in the metric's unit."""
        return rmse(self.measured, self.left_out)

    @property
    def r2_cv(self) -> float | None:
        """Leave-one-out R squared on the metric's scale; None where all measured scores are the same."""
        return r2(self.measured, self.left_out)

    @abstractmethod
    def eta(self, coefficients: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation, [n] each, of the score before the link, without measurement noise."""

    def interval(self, coefficients: Array, level: float = 0.9, *, items: float | None = None) -> tuple[Array, Array]:
        """Return intervals in which fresh measurements of candidates fall, on so many items: see `intervals.interval`.

        `items` None: on as many as were used.
        """
        eta, sd = self.eta(coefficients)
        noise = self.noise if items is None else 1.0 / items
        return interval(self.link, eta, sd, level=level, freedom=self.freedom, noise=noise)

    def to_json(self) -> JsonObject:
        """Return everything needed to rebuild the surrogate, bit for bit; an infinite condition becomes null."""
        return to_plain(self, self.schema)

    @classmethod
    def from_json(cls, plain: JsonObject) -> Self:
        """Rebuild a surrogate from what `to_json` returned.

        Raises:
            BadInputError: the object is of another schema, or a part is missing or no such part.
        """
        return cls(**from_plain(cls, plain, cls.schema))
