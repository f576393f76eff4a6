"""How fast a search got somewhere."""

from typing import Any

import numpy as np

from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import hypervolume
from mapmerge.history import History
from mapmerge.methods.surfaces import is_sampled
from mapmerge.response import ResponseSurfaces
from mapmerge.study import Study


def course(study: Study, surfaces: ResponseSurfaces) -> list[dict[str, Any]]:
    """Return the hypervolume on search items after each candidate: how fast the search got somewhere.

    Evaluations are counted as (candidate, objective) pairs; the normalisation is that of the whole search. Where
    evaluations see a sample of the items, a candidate counts with the scores that the final surrogates predict of it:
    the best of many noisy scores would promise too much.
    """
    unit, m, told = study.normalisation(), len(study.objectives), study.history
    smooth = is_sampled(study.brief, told)
    steps, gains, evaluations, items = [], np.empty((0, m)), 0, 0
    for done in told.rounds:
        alone = History(told.objectives, (done,))
        seen = alone.observations
        scores = surfaces.scores(seen.coefficients) if smooth else seen.scores
        for row, whole, score in zip(seen.coefficients, seen.whole, scores, strict=True):
            mine = [each for each in done.evaluations if each.coefficients.tobytes() == row.tobytes()]
            evaluations += len(mine)
            items += sum(each.items for each in mine)
            if whole:
                gains = np.vstack([gains, unit.apply(score * study.signs)])
                gains = gains[nondominated(gains)]
            volume = hypervolume(gains, np.zeros(m), seconds=1e-3) if len(gains) else 0.0
            steps.append(
                {
                    "round": done.question.name,
                    "evaluations": evaluations,
                    "items_forwarded": items,
                    "hypervolume": volume,
                }
            )
    return steps
