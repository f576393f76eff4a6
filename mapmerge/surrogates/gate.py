"""The gate: may a surrogate be searched, or does it need more measurements first?"""

from dataclasses import dataclass

import numpy as np

from mapmerge.surrogates.protocol import Surrogate


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a surrogate may be trusted, and if not, why.

    Args:
        passed: True where there is no reason against it.
        reasons: one sentence each, empty where it passed.
    """

    passed: bool
    reasons: tuple[str, ...]


def check(
    surrogate: Surrogate, *, min_r2: float = 0.8, max_condition: float = 1e8, fresh_items: bool = False
) -> Verdict:
    """Judge a surrogate by how well it predicts scores that it has not seen.

    An objective that is the same for every candidate passes: there is nothing to predict.

    Args:
        surrogate: what to judge.
        min_r2: smallest leave-one-out R squared.
        max_condition: largest condition number of the design.
        fresh_items: whether each score comes from items of its own. Then nothing could predict how lucky a sample was,
            and that part of the scatter is taken off before R squared is judged.
    """
    r2 = _r2_without_luck(surrogate) if fresh_items else surrogate.r2_cv
    reasons = []
    if not surrogate.condition <= max_condition:
        reasons.append(
            f"the measured candidates do not determine every parameter: condition number "
            f"{surrogate.condition:.3g}, at most {max_condition:.3g} is wanted; measure more candidates"
        )
    if r2 is not None and not r2 >= min_r2:
        reasons.append(
            f"it explains too little of scores it has not seen: leave-one-out R2 {r2:.2f}, at least "
            f"{min_r2:g} is wanted; measure more candidates, or a smaller region"
        )
    return Verdict(passed=not reasons, reasons=tuple(reasons))


def _r2_without_luck(surrogate: Surrogate) -> float | None:
    """Return 1 - (squared error - luck) / (variance of scores - luck), None where the scores vary by luck alone.

    Luck is the variance of samples: what the link's noise model expects of as many items as stand behind each score.
    """
    link, measured = surrogate.link, surrogate.measured
    luck = float(np.mean(link.span**2 * link.variance(link.unit(measured)) / surrogate.items))
    varies = float(np.var(measured)) - luck
    if surrogate.r2_cv is None or varies <= 0.0:
        return None
    return 1.0 - max(float(np.mean((measured - surrogate.left_out) ** 2)) - luck, 0.0) / varies
