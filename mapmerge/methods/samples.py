"""Which items an evaluation of the search sees."""

import math

import numpy as np

from mapmerge.history import History
from mapmerge.methods.protocol import Brief
from mapmerge.records import Array, Question, Sample, Wanted
from mapmerge.response import ResponseSurfaces
from mapmerge.sampling.difficulty import difficulty
from mapmerge.sampling.draw import draw
from mapmerge.surrogates.features import parameter_count

_SCALARS_SEE = 2
"""Times as many items as a candidate, for each scalar of that baseline."""

_SMALLEST_POOL = 250
"""Items of an objective that samples are drawn from at least: fewer are too little like the others."""

_TIMES = 2
"""Times as many items are in that part as one evaluation sees, at least: or samples would not be fresh ones."""

_FEWEST = 16
"""Items that an evaluation sees at least: fewer say almost nothing, and the merge then costs more than they do."""


def fixed_counts(brief: Brief) -> tuple[int, ...] | None:
    """Return how many items of each objective an evaluation sees where the study says so, else None for all."""
    asked = brief.config.sampling.items
    return None if isinstance(asked, str) else tuple(min(asked, size) for size in brief.items)


def auto_counts(brief: Brief) -> tuple[int, ...] | None:
    """Return how many items of each objective an evaluation sees where the method may choose.

    With room for I item-forwards an objective, sqrt(I) candidates see sqrt(I) items each, but there are at least 2p
    candidates: more would tell no more of a quadratic than more items do, and the front wants many. The numbers depend
    on what is spent, not on how large the item sets are.

    >>> import math
    >>> math.isqrt(10 * 1000)  # 10 units of 1,000 items: 100 candidates of 100 items
    100
    """
    asked = brief.config.sampling.items
    if asked == "all":
        return None
    if isinstance(asked, int):
        return fixed_counts(brief)
    fewest = 2 * parameter_count(brief.k)
    each = [brief.config.evaluations * size for size in brief.items]
    counts = [round(room / max(math.sqrt(room), fewest)) for room in each]
    return tuple(min(max(count, _FEWEST), size) for count, size in zip(counts, brief.items, strict=True))


def scalar_counts(brief: Brief, first: Question) -> tuple[int, ...] | None:
    """Return how many items of each objective the baseline of scalars sees: None for all.

    Args:
        brief: what the study is about.
        first: the first question of the search; scalars see twice as many items as its candidates.
    """
    seen = {name: sample for wanted in first.wanted or () for name, sample in wanted.items()}
    sizes = dict(zip(brief.names, brief.items, strict=True))
    counts = {name: len(sample.items) for name, sample in seen.items() if sample is not None}
    if not counts:
        return None
    return tuple(min(_SCALARS_SEE * counts.get(name, size), size) for name, size in sizes.items())


def cost(brief: Brief, counts: tuple[int, ...] | None) -> int:
    """Return the items of one candidate that is measured on every objective."""
    return brief.unit if counts is None else sum(counts)


def affordable(brief: Brief, history: History, counts: tuple[int, ...] | None) -> int:
    """Return how many more candidates the budget has room for."""
    return max(0, (brief.budget - brief.spent(history)) // cost(brief, counts))


def difficulties(brief: Brief, history: History, surfaces: ResponseSurfaces) -> tuple[Array | None, ...]:
    """Return how hard every search item of each objective has been, None where too little is known.

    Args:
        brief: what the study is about; without `sampling.stratify` nothing counts as known.
        history: what was measured.
        surfaces: fitted to it: what an item's outcome is compared with.
    """
    if not brief.config.sampling.stratify:
        return (None,) * len(brief.items)
    found = []
    for name, size, surrogate in zip(brief.names, brief.items, surfaces.surrogates, strict=True):
        evaluations = history.of(name)
        predicted = surrogate.predict(np.vstack([each.coefficients for each in evaluations]))
        found.append(difficulty(evaluations, predicted, size))
    return tuple(found)


def pool_sizes(brief: Brief) -> tuple[int, ...]:
    """Return from how many items of each objective samples are drawn.

    An item's margin, or how hard it is, is learnt from the candidates that see it. Of a large set hardly any two would
    see the same item. So samples come from a part of it, drawn once, of which each item is seen about as often as a
    quadratic has parameters; how large the whole set is does not matter then.
    """
    p, counts = parameter_count(brief.k), auto_counts(brief) or brief.items
    return tuple(
        min(size, max(_SMALLEST_POOL, _TIMES * count, brief.config.evaluations * size // p))
        for size, count in zip(brief.items, counts, strict=True)
    )


def samples_for(
    brief: Brief, round_name: str, n: int, counts: tuple[int, ...] | None, hard: tuple[Array | None, ...] | None = None
) -> tuple[Wanted, ...] | None:
    """Draw fresh items for every candidate of a round, on every objective.

    An error of one fixed subset would be shared by all candidates and never average out; that of fresh ones does.

    Args:
        brief: what the study is about.
        round_name: name of the round, which the draws depend on.
        n: how many candidates.
        counts: items of each objective, None for all.
        hard: what `difficulties` found; None where nothing is known yet.
    """
    if counts is None:
        return None
    rng = brief.rng("items", round_name)
    known = hard or (None,) * len(counts)

    pools = [
        np.sort(brief.rng("pool", name).permutation(size)[:part])
        for name, size, part in zip(brief.names, brief.items, pool_sizes(brief), strict=True)
    ]

    def one(objective: int) -> Sample | None:
        size, count, pool, hard = brief.items[objective], counts[objective], pools[objective], known[objective]
        if count >= size:
            return None
        drawn = draw(count, None if hard is None else hard[pool], rng, size=len(pool))
        return Sample(pool[drawn.items], drawn.strata, drawn.shares)

    return tuple({name: one(objective) for objective, name in enumerate(brief.names)} for _ in range(n))
