"""What a study found, in one honest paragraph."""

from collections import Counter
from collections.abc import Mapping, Sequence

from mapmerge.fronts.comparisons import Comparison
from mapmerge.fronts.promises import Promise
from mapmerge.records import Interval, JsonObject

_FEW = 6
"""Names that a sentence lists; of more it says how many."""

_SPOKEN = {
    "base": "the base model",
    "experts": "the unmerged models",
    "uniform": "the uniform merge",
    "best_scalar": "the best single scaling factor",
    "random_search": "random search",
    "before_refinement": "the merges of the tree before refinement",
}


def verdict(
    comparisons: Sequence[Comparison],
    *,
    hypervolume: Interval,
    predicted: float,
    level: float,
    delivered: int,
    dominated: int,
    promised: Mapping[str, Promise] | None = None,
    untrusted: Sequence[str] = (),
    random_share: float = 1.0,
) -> str:
    """Say whether the front was worth it: better than what, worse than what, and how far its prediction was off.

    Args:
        comparisons: the front against each baseline.
        hypervolume: of the front on held-out items, normalised.
        predicted: the same hypervolume as the surrogates predicted it.
        level: coverage of the intervals.
        delivered: how many merged models were measured for the front.
        dominated: how many of them turned out to be dominated.
        promised: for each objective, what was predicted of them less what was measured.
        untrusted: objectives whose surrogate failed its checks.
        random_share: what random search cost, as a share of the search.

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
        same = [_against(comparison, level, random_share) for comparison in comparisons if comparison.words == words]
        if same:
            sentences.append(f"{opening} {_listed(same)}.")
    sentences.append(_reached(hypervolume, predicted))
    if broken := _promised(promised or {}):
        sentences.append(broken)
    if dominated:
        verb = "is" if dominated == 1 else "are"
        sentences.append(f"Of {delivered} delivered models {dominated} {verb} dominated by another one as measured.")
    if untrusted:
        sentences.append(
            f"The surrogate of {names_or_count(untrusted)} failed its checks: "
            "rely on measured scores, not on predicted."
        )
    return " ".join(sentences)


def told_apart(front: Sequence[JsonObject]) -> str:
    """Say how many points of a front the held-out items cannot tell apart, from each other and from baselines.

    Args:
        front: the points of a result, each with its `id` and what it is `indistinguishable_from`.

    Returns:
        A sentence or two; nothing where there is nothing to say, also for a result that does not know.

    >>> told_apart([{"id": "p01", "indistinguishable_from": ["uniform"]}, {"id": "p02", "indistinguishable_from": []}])
    'The 2 front points can all be told apart from each other. 1 of them cannot be told apart from the uniform merge.'
    """
    alike = [point.get("indistinguishable_from", ()) for point in front]
    ids = {point["id"] for point in front}
    blurred = sum(not ids.isdisjoint(names) for names in alike)
    baselines = Counter(name for names in alike for name in names if name not in ids)
    sentences = []
    if blurred:
        sentences.append(
            f"{blurred} of {len(front)} front points cannot be told apart from another one: they differ by no more than"
            " the noise of the held-out items."
        )
    elif len(front) > 1 and "indistinguishable_from" in front[0]:
        sentences.append(f"The {len(front)} front points can all be told apart from each other.")
    if baselines and len(front) == 1:
        names = _listed([_SPOKEN.get(name, name) for name in baselines])
        sentences.append(f"The one front point cannot be told apart from {names}.")
    elif baselines:
        (first, count), *rest = ((_SPOKEN.get(name, name), count) for name, count in baselines.items())
        others = "".join(f", {count} not from {name}" for name, count in rest)
        sentences.append(f"{count} of them cannot be told apart from {first}{others}.")
    return " ".join(sentences)


def _promised(promised: Mapping[str, Promise]) -> str:
    clauses = []
    for words in ("promised too much", "promised too little"):
        same = [(name, abs(promise.missed.value)) for name, promise in promised.items() if promise.words == words]
        if same:
            clauses.append(f"{words} on {_listed([f'{name} (by {by:.2g})' for name, by in same])}")
    if not clauses:
        return ""
    return (
        f"Averaged over the delivered models the surrogates {', and '.join(clauses)}: more than the noise of the items."
    )


def _against(comparison: Comparison, level: float, random_share: float) -> str:
    name = _SPOKEN.get(comparison.baseline, comparison.baseline)
    if comparison.baseline == "random_search":
        name += " at equal cost" if random_share > 0.99 else f" at {random_share:.0%} of the cost"
    gap = comparison.difference
    value, low, high = (_volume(end) for end in (gap.value, gap.low, gap.high))
    sign = "" if value.startswith("-") else "+"
    return f"{name} ({sign}{value}, {100 * level:.3g} % interval {low} to {high})"


def _reached(hypervolume: Interval, predicted: float) -> str:
    if hypervolume.value <= 0.0:
        return (
            "On held-out items no delivered model is above the reference point in every objective"
            f" (normalised hypervolume 0; {_volume(predicted)} was predicted)."
        )
    reached = (
        f"On held-out items the front reaches a normalised hypervolume of {_volume(hypervolume.value)}"
        f" ({_volume(hypervolume.low)} to {_volume(hypervolume.high)}); {_volume(predicted)} was predicted"
    )
    if predicted > hypervolume.high:
        return f"{reached}, which was too optimistic."
    return f"{reached}, which was too pessimistic." if predicted < hypervolume.low else f"{reached}."


def names_or_count(names: Sequence[str]) -> str:
    """Return names as a sentence lists them; how many there are, where a reader would not read them all.

    >>> names_or_count(["a", "b", "c"]), names_or_count([str(number) for number in range(9)])
    ('a, b and c', '9 objectives')
    """
    return _listed(names) if len(names) <= _FEW else f"{len(names)} objectives"


def _volume(value: float) -> str:
    """Write a hypervolume: of many objectives it is a product of many shares, and small."""
    return f"{value:.3f}" if value == 0.0 or abs(value) >= 1e-3 else f"{value:.2g}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
