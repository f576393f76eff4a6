"""Which surrogate an objective gets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mapmerge.records import Array, Metric
from mapmerge.surrogates.features import parameter_count
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.gaussian_process import fit_gaussian_process
from mapmerge.surrogates.margins import fit_margins
from mapmerge.surrogates.protocol import Surrogate
from mapmerge.surrogates.selection import select
from mapmerge.surrogates.thin import fit_thin_quadratic

_MARGINS_KNOWN = 0.5
"""Share of the candidates whose margins must be known, or they say less than the scores do."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What is known of one objective.

    Args:
        coefficients: shape [n, k].
        scores: shape [n], freed of how hard the items of samples were.
        variances: shape [n], of the scores.
        items: shape [n], how many items drawn simply at random would be as precise.
        metric: what was measured.
        margins: shape [n, i], by how much each item was right, NaN where not seen; None where the evaluator tells none.
    """

    coefficients: Array
    scores: Array
    variances: Array
    items: Array
    metric: Metric
    margins: NDArray[np.float32] | None

    @property
    def plain(self) -> tuple[Array, Array, Array, Array, Metric]:
        """All that surrogates of the score alone look at."""
        return self.coefficients, self.scores, self.variances, self.items, self.metric

    @property
    def few(self) -> bool:
        """Whether there are fewer candidates than a quadratic has parameters."""
        return len(self.scores) < parameter_count(self.coefficients.shape[1])

    @property
    def tells_margins(self) -> bool:
        """Whether there are margins of enough candidates: of few they mislead."""
        if self.margins is None or self.few:
            return False
        return bool((~np.isnan(self.margins)).any(axis=1).mean() >= _MARGINS_KNOWN)


Fit = Callable[[Told], Surrogate]


def quadratic(told: Told) -> Surrogate:
    """Fit a quadratic to scores: the same one, held in another way, where points are fewer than its parameters."""
    return fit_thin_quadratic(*told.plain) if told.few else fit_quadratic(*told.plain)


def gaussian_process(told: Told) -> Surrogate:
    """Fit a Gaussian process around a quadratic to scores; the quadratic alone where there are too few of them."""
    return quadratic(told) if told.few else fit_gaussian_process(*told.plain)


def margins(told: Told) -> Surrogate:
    """Fit the margins of single items; a quadratic to scores where there are too few."""
    if told.margins is None or not told.tells_margins:
        return quadratic(told)
    return fit_margins(*told.plain, told.margins)


def best(told: Told) -> Surrogate:
    """Fit several kinds and return the one that predicts left-out measurements best.

    Margins come first where there are any, and a quadratic must beat them clearly: what they predict is smoother than
    the scores that both are compared by, and so holds better on other items of the same kind. Only where there are
    none, or it does, a Gaussian process is tried too.
    """
    simple = quadratic(told)
    if told.tells_margins:
        simple = select([margins(told), simple])
    return simple if told.few or simple.kind == "margins" else select([simple, gaussian_process(told)])


FITS: Mapping[str, Fit] = {
    "auto": best,
    "quadratic": quadratic,
    "gaussian-process": gaussian_process,
    "margins": margins,
}
"""By the names of `adaptive.surrogate`."""
