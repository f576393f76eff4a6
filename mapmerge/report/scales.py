"""Axes of a static figure: a score to a pixel, better always up or to the right, and ticks on round numbers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from scores to pixels.

    Args:
        low: the smallest score on the axis.
        high: the largest score on the axis.
        first: pixel of `low`.
        last: pixel of `high`.
    """

    low: float
    high: float
    first: float
    last: float

    @classmethod
    def around(cls, scores: Iterable[float], *, worse: float, better: float, maximize: bool) -> "Scale":
        """Span the scores with a little room, the better end at pixel `better`.

        >>> scale = Scale.around([0.0, 1.0], worse=0.0, better=112.0, maximize=False)
        >>> round(scale.at(1.0), 6), round(scale.at(0.0), 6)
        (6.0, 106.0)
        """
        finite = [score for score in scores if math.isfinite(score)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        room = (high - low) * 0.06 or max(abs(low) * 0.05, 0.01)
        first, last = (worse, better) if maximize else (better, worse)
        return cls(low - room, high + room, first, last)

    def at(self, score: float) -> float:
        """Return the pixel of a score."""
        return self.first + (score - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, about: int = 5) -> list[tuple[float, str]]:
        """Return round scores inside the axis with their text.

        >>> [text for _, text in Scale(-0.02, 1.03, 0.0, 100.0).ticks()]
        ['0.00', '0.25', '0.50', '0.75', '1.00']
        """
        raw = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
        digits = max(0, math.ceil(-math.log10(step) - 1e-9))
        if abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
            digits += 1
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(index * step, f"{index * step:.{digits}f}".replace("-", "−")) for index in range(first, last + 1)]
