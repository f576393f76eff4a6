"""How fast a search got somewhere."""

from collections import defaultdict
from typing import Any

import numpy as np

from mapmerge.fronts.indicators import hypervolumes
from mapmerge.history import History
from mapmerge.methods.surfaces import is_sampled
from mapmerge.records import Array
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
    steps: list[dict[str, Any]] = []
    gains: list[Array] = []
    evaluations = items = 0
    for done in told.rounds:
        seen = History(told.objectives, (done,)).observations
        scores = surfaces.scores(seen.coefficients) if smooth else seen.scores
        asked: defaultdict[bytes, list[int]] = defaultdict(list)
        for each in done.evaluations:
            asked[each.coefficients.tobytes()].append(each.items)
        for row, whole, score in zip(seen.coefficients, seen.whole, scores, strict=True):
            evaluations += len(asked[row.tobytes()])
            items += sum(asked[row.tobytes()])
            # Who misses a score adds no volume.
            gains.append(unit.apply(score * study.signs) if whole else np.zeros(m))
            steps.append({"round": done.question.name, "evaluations": evaluations, "items_forwarded": items})
    volumes = hypervolumes(np.reshape(gains, (-1, m)), np.zeros(m))
    return [step | {"hypervolume": volume} for step, volume in zip(steps, volumes.tolist(), strict=True)]
