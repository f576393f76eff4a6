"""The answer of a study: the measured front with intervals, baselines, comparisons and a verdict, as one JSON object.

The schema is `mapmerge/result/1`, described in `docs/result.md`.
"""

from typing import Any

import numpy as np

from mapmerge.answer.course import course
from mapmerge.answer.doubts import flat_objectives, warnings
from mapmerge.answer.held_out import HeldOut, split
from mapmerge.answer.words import Words, baselines, indistinguishable
from mapmerge.errors import FailedRunError
from mapmerge.fronts.comparisons import compare
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.fronts.promises import promised_hypervolume, promises
from mapmerge.fronts.verdict import verdict
from mapmerge.history import History
from mapmerge.methods.units import score_noise
from mapmerge.randomness import generator
from mapmerge.records import Array
from mapmerge.response import ResponseSurfaces, objective_to_json
from mapmerge.study import FinalQuestion, Study

SCHEMA = "mapmerge/result/1"
LEVEL = 0.9
"""Coverage of every interval in a result."""

BASELINES = ("experts", "uniform", "best_scalar", "random_search", "before_refinement")
"""What the front is compared with; the base is measured too, as one of the units."""


def answer(study: Study, surfaces: ResponseSurfaces, final: FinalQuestion) -> dict[str, Any]:
    """Say what a study found, once its final question has been told.

    Args:
        study: with all its rounds.
        surfaces: the surrogates that the front was found on.
        final: which of the held-out candidates are the front and which are baselines.

    Raises:
        FailedRunError: no delivered point, or no unmerged model, could be measured on every objective.
    """
    measured = HeldOut(study)
    sets = {name: rows for name, candidates in final.sets.items() if len(rows := measured.rows(candidates))}
    unmerged = [sets[name] for name in ("base", "experts") if name in sets]
    if "delivered" not in sets or not unmerged:
        what = "delivered point" if "delivered" not in sets else "unmerged model, which the units come from,"
        raise FailedRunError(f"no {what} could be measured on every objective of the held-out items")
    seen = History(study.brief.names, (study.rounds[-1],)).observations
    gains = measured.gains(np.vstack(unmerged))
    normalisation = Normalisation.of(gains, noise=score_noise(seen, study.held_out))
    front, dominated = split(sets.pop("delivered"), measured)
    if len(dominated):
        sets["dominated"] = dominated
    report = compare(
        measured.outcomes(front),
        {name: measured.outcomes(rows) for name, rows in sets.items()},
        normalisation,
        rng=generator(study.config.seed, "bootstrap"),
        level=LEVEL,
    )
    lost = [name for name in BASELINES if name in final.sets and name not in sets]
    speak = Words(study, surfaces, LEVEL)
    rest = speak.delivered(dominated, report.baselines["dominated"], first=len(front)) if len(dominated) else []
    delivered = np.vstack([front, dominated])
    predicted = _predicted_hypervolume(surfaces, delivered, normalisation)
    kept = promises(
        surfaces.scores(delivered) * surfaces.signs,
        measured.outcomes(delivered),
        search_items=study.brief.items,
        level=LEVEL,
    )
    promised = dict(zip(speak.objectives, kept, strict=True))
    volume_kept = promised_hypervolume(predicted, report.front.hypervolume)
    gates = dict(zip(speak.objectives, study.gate(surfaces), strict=True))
    compared = [comparison for comparison in report.comparisons if comparison.baseline in BASELINES]
    return {
        "schema": SCHEMA,
        "study": study.config.name,
        "method": study.config.method,
        "seed": study.config.seed,
        "status": "complete",
        "experts": speak.experts,
        "objectives": [objective_to_json(objective) for objective in study.objectives],
        "hypervolume": {
            **report.front.hypervolume.to_json(),
            "level": LEVEL,
            "predicted": predicted,
            "reference_point": speak.scores(normalisation.reference),
            "ideal_point": speak.scores(normalisation.ideal),
        },
        "surrogates": {
            name: {
                "kind": surrogate.kind,
                "link": objective.metric.link,
                "r2_cv": surrogate.r2_cv,
                "loo_rmse": surrogate.loo_rmse,
                "condition": surrogate.condition if np.isfinite(surrogate.condition) else None,
                "points": len(surrogate.measured),
                "passed": gates[name].passed,
                "reasons": list(gates[name].reasons),
                "loo": [
                    {"measured": score, "predicted": guess}
                    for score, guess in zip(surrogate.measured.tolist(), surrogate.left_out.tolist(), strict=True)
                ],
            }
            for name, objective, surrogate in zip(speak.objectives, study.objectives, surfaces.surrogates, strict=True)
        },
        "front": [
            {**point, "probability_nondominated": chance, "indistinguishable_from": alike}
            for point, chance, alike in zip(
                speak.delivered(front, report.front),
                report.probability_nondominated.tolist(),
                indistinguishable(front, sets, measured, speak, LEVEL),
                strict=True,
            )
        ],
        "dominated": rest,
        "baselines": baselines(sets, report, speak, scalar=final.scalar, share=study.random_share()),
        "comparisons": [
            {
                "baseline": comparison.baseline,
                "hypervolume": comparison.hypervolume.value,
                "difference": comparison.difference.value,
                "low": comparison.difference.low,
                "high": comparison.difference.high,
                "words": comparison.words,
            }
            for comparison in compared
        ],
        "winners_curse": {
            "points": len(delivered),
            "level": LEVEL,
            "objectives": {name: promise.to_json() for name, promise in promised.items()},
            "hypervolume": volume_kept.to_json() if volume_kept else None,
        },
        "calibration": {
            "points": len(delivered),
            "level": LEVEL,
            "inside": _inside(delivered, surfaces, measured),
        },
        "verdict": verdict(
            compared,
            hypervolume=report.front.hypervolume,
            predicted=predicted,
            level=LEVEL,
            delivered=len(delivered),
            dominated=len(dominated),
            promised=promised,
            untrusted=[name for name, gate in gates.items() if not gate.passed],
            random_share=study.random_share(),
        ),
        "warnings": [
            *warnings(study, surfaces, delivered),
            *flat_objectives(study, gains, normalisation),
            *(f"{name}: not measured on every objective, so the front is not compared with it" for name in lost),
        ],
        "history": course(study, surfaces),
        "region": surfaces.region.to_json(),
    }


def _predicted_hypervolume(surfaces: ResponseSurfaces, rows: Array, normalisation: Normalisation) -> float:
    gains = normalisation.apply(surfaces.scores(rows) * surfaces.signs)
    return hypervolume(gains, np.zeros(gains.shape[1]))


def _inside(rows: Array, surfaces: ResponseSurfaces, measured: HeldOut) -> dict[str, float]:
    """Return the share of points whose measured score lies in its predicted interval, by objective."""
    low, high = surfaces.intervals(rows, LEVEL)
    scores = measured.gains(rows) * surfaces.signs
    shares = ((low <= scores) & (scores <= high)).mean(axis=0)
    return dict(zip((objective.name for objective in surfaces.objectives), shares.tolist(), strict=True))
