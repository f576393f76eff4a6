"""What a study found, in one honest paragraph."""

from collections.abc import Sequence

from mapmerge.fronts.comparisons import Comparison
from mapmerge.records import Interval

_SPOKEN = {
    "experts": "the unmerged models",
    "uniform": "the uniform merge",
    "best_scalar": "the best single scaling factor",
    "random_search": "random search at equal cost",
}


def verdict(
    comparisons: Sequence[Comparison],
    *,
    hypervolume: Interval,
    predicted: float,
    level: float,
    delivered: int,
    dominated: int,
    untrusted: Sequence[str] = (),
) -> str:
    """Say whether the front was worth it: better than what, worse than what, and how far its prediction was off.

    Args:
        comparisons: the front against each baseline.
        hypervolume: of the front on held-out items, normalised.
        predicted: the same hypervolume as the surrogates predicted it.
        level: coverage of the intervals.
        delivered: how many merged models were measured for the front.
        dominated: how many of them turned out to be dominated.
        untrusted: objectives whose surrogate failed its checks.

    Returns:
        A few sentences, the comparisons first, whatever they say.

    >>> gain = Comparison("uniform", Interval(0.5, 0.4, 0.6), Interval(0.01, -0.02, 0.03))
    >>> front = Interval(0.51, 0.45, 0.6)
    >>> words = verdict([gain], hypervolume=front, predicted=0.7, level=0.9, delivered=9, dominated=0)
    >>> words.split(". ")[0]
    'No gain over the uniform merge (+0.010, 90 % interval -0.020 to 0.030)'
    """
    sentences = []
    for words, opening in (
        ("better", "The front is better than"),
        ("no difference beyond the noise", "No gain over"),
        ("worse", "The front is worse than"),
    ):
        same = [_against(comparison, level) for comparison in comparisons if comparison.words == words]
        if same:
            sentences.append(f"{opening} {_listed(same)}.")
    sentences.append(_reached(hypervolume, predicted))
    if dominated:
        verb = "is" if dominated == 1 else "are"
        sentences.append(f"Of {delivered} delivered models {dominated} {verb} dominated by another one as measured.")
    if untrusted:
        sentences.append(
            f"The surrogate of {_listed(list(untrusted))} failed its checks: rely on measured scores, not on predicted."
        )
    return " ".join(sentences)


def _against(comparison: Comparison, level: float) -> str:
    name = _SPOKEN.get(comparison.baseline, comparison.baseline)
    gap = comparison.difference
    return f"{name} ({gap.value:+.3f}, {100 * level:.3g} % interval {gap.low:.3f} to {gap.high:.3f})"


def _reached(hypervolume: Interval, predicted: float) -> str:
    if hypervolume.value <= 0.0:
        return (
            "On held-out items no delivered model is above the reference point in every objective"
            f" (normalised hypervolume 0; {predicted:.3f} was predicted)."
        )
    reached = (
        f"On held-out items the front reaches a normalised hypervolume of {hypervolume.value:.3f}"
        f" ({hypervolume.low:.3f} to {hypervolume.high:.3f}); {predicted:.3f} was predicted"
    )
    if predicted > hypervolume.high:
        return f"{reached}, which was too optimistic."
    return f"{reached}, which was too pessimistic." if predicted < hypervolume.low else f"{reached}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
