"""From what was measured to one surrogate an objective."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from mapmerge.designs.region import Region
from mapmerge.errors import FailedRunError
from mapmerge.history import History, Round
from mapmerge.methods.fits import Fit, Told, quadratic
from mapmerge.methods.protocol import Brief
from mapmerge.methods.samples import pool_sizes
from mapmerge.records import Evaluation
from mapmerge.response import ResponseSurfaces
from mapmerge.sampling.adjust import adjust
from mapmerge.sampling.estimate import dispersion, effective_items
from mapmerge.surrogates.gate import Verdict, check
from mapmerge.surrogates.protocol import Surrogate
from mapmerge.threads import one_blas_thread, one_thread

_LEAST = 1e-12
"""Outcomes that vary less than this, in units of the noise model, count as doing so: then the noise is nothing."""


def fit_surfaces(brief: Brief, history: History, region: Region, fit: Fit = quadratic) -> ResponseSurfaces:
    """Fit every objective to all that was measured of it.

    A score from a sample of the items is first freed of how hard these were (see `sampling.adjust`), then it weighs as
    many items as a simple sample would need to be as precise. What failed is left out: a candidate that cannot be
    measured says nothing about its score.

    Args:
        brief: what the study is about.
        history: what was measured.
        region: where predictions may be trusted.
        fit: which surrogate.

    Raises:
        FailedRunError: fewer than two candidates could be measured on an objective.
    """
    columns = range(len(brief.names))
    covered = tuple(effective_held_out(brief, history, at) for at in columns)
    # Most of a fit is spent in matrices, where threads do not wait for each other; its bits do not depend on them.
    with one_blas_thread(), one_thread(), ThreadPoolExecutor(min(len(columns), os.cpu_count() or 1)) as threads:
        if is_sampled(brief, history):
            first = threads.map(partial(_fit, brief, history, fit=quadratic), columns)
            history = _adjusted(history, list(first), brief)
        surrogates = tuple(threads.map(partial(_fit, brief, history, fit=fit), columns))
    seen = history.observations
    measured = seen.coefficients[np.asarray((seen.items > 0).any(axis=1))]
    return ResponseSurfaces(brief.objectives, surrogates, region, covered, measured)


def effective_held_out(brief: Brief, history: History, column: int) -> float:
    """Return how many items the measurement on held-out items effectively has, for those who predict it.

    A surrogate knows the search set, and nothing of what that set itself is off by: all search evaluations share this
    error, or see parts of it, so that it hides among the scores. The held-out set is another draw of such items. So
    the measurement differs from the prediction, beyond what the surrogate itself is off by, with the variance

        v / search items + v / held-out items,    v = dispersion * V(score),

    where the search items are those that samples are drawn from. That is V, the noise model of the link, for
    1 / (dispersion (1 / search items + 1 / held-out items)) items.
    How precise the fitted scores were does not matter here: samples, strata and adjustments (see `sampling`) say how
    well the surrogate knows the search set, while the held-out set is measured in full and its items are simply
    random ones. Of right or wrong outcomes the dispersion is 1: see `sampling.estimate.dispersion`.

    Args:
        brief: what the study is about.
        history: what was measured, as it was measured: not freed of how hard items were.
        column: which objective.
    """
    spread = dispersion(history.of(brief.names[column]), brief.objectives[column].metric)
    search = pool_sizes(brief)[column] if is_sampled(brief, history) else brief.items[column]
    return 1.0 / (max(spread, _LEAST) * (1.0 / search + 1.0 / brief.held_out[column]))


def is_sampled(brief: Brief, history: History) -> bool:
    """Say whether any score comes from a part of its items only."""
    items = history.observations.items
    return bool(((items > 0) & (items < np.array(brief.items))).any())


def _fit(brief: Brief, history: History, column: int, fit: Fit) -> Surrogate:
    seen, objective = history.observations, brief.objectives[column]
    there = np.flatnonzero(seen.items[:, column] > 0) if len(seen.items) else np.zeros(0, dtype=np.intp)
    if len(there) < 2:
        found = "one candidate" if len(there) else "none"
        raise FailedRunError(
            f"objective {objective.name!r}: a surrogate needs two measured candidates, there is {found}: "
            "every other evaluation failed"
        )
    scores, variances, items = (table[there, column] for table in (seen.scores, seen.variances, seen.items))
    scores = np.clip(scores, objective.metric.lower, objective.metric.upper)  # what was taken off may have led outside
    weighs = effective_items(scores, variances, items, objective.metric)
    margins = history.margins(objective.name, brief.items[column])
    return fit(
        Told(
            seen.coefficients[there],
            scores,
            variances,
            weighs,
            objective.metric,
            None if margins is None else margins[there],
        )
    )


def _adjusted(history: History, surrogates: Sequence[Surrogate], brief: Brief) -> History:
    """Return the history with the scores of samples freed of how hard their items were."""
    adjusted: dict[tuple[str, str], Evaluation] = {}
    for name, size, surrogate in zip(brief.names, brief.items, surrogates, strict=True):
        evaluations = history.of(name)
        predicted = surrogate.predict(np.vstack([each.coefficients for each in evaluations]))
        adjusted |= {(each.key, name): each for each in adjust(evaluations, predicted, size)}

    def freed(rounds: Sequence[Round]) -> tuple[Round, ...]:
        return tuple(
            Round(done.question, tuple(adjusted.get((each.key, each.objective), each) for each in done.evaluations))
            for done in rounds
        )

    return History(history.objectives, freed(history.rounds), freed(history.before))


def gate(brief: Brief, history: History, surfaces: ResponseSurfaces) -> list[Verdict]:
    """Judge every surrogate by the study's gate."""
    limits, sampled = brief.config.gate, is_sampled(brief, history)
    return [
        check(surrogate, min_r2=limits.min_r2, max_condition=limits.max_condition, fresh_items=sampled)
        for surrogate in surfaces.surrogates
    ]
