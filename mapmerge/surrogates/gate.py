"""The gate: may a surrogate be searched, or does it need more measurements first?"""

from dataclasses import dataclass

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


def check(surrogate: Surrogate, *, min_r2: float = 0.8, max_condition: float = 1e8) -> Verdict:
    """Judge a surrogate by how well it predicts scores that it has not seen.

    An objective that is the same for every candidate passes: there is nothing to predict.

    Args:
        surrogate: what to judge.
        min_r2: smallest leave-one-out R squared.
        max_condition: largest condition number of the design.
    """
    reasons = []
    if not surrogate.condition <= max_condition:
        reasons.append(
            f"the measured candidates do not determine every parameter: condition number "
            f"{surrogate.condition:.3g}, at most {max_condition:.3g} is wanted; measure more candidates"
        )
    if surrogate.r2_cv is not None and not surrogate.r2_cv >= min_r2:
        reasons.append(
            f"it explains too little of scores it has not seen: leave-one-out R2 {surrogate.r2_cv:.2f}, at least "
            f"{min_r2:g} is wanted; measure more candidates, or a smaller region"
        )
    return Verdict(passed=not reasons, reasons=tuple(reasons))
