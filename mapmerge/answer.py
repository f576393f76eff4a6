"""The answer of a study: the measured front with intervals, baselines, comparisons and a verdict, as one JSON object.

The schema is `mapmerge/result/1`, described in `docs/result.md`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mapmerge.errors import FailedRunError
from mapmerge.fronts.comparisons import Comparison, FrontReport, MeasuredSet, Outcomes, compare
from mapmerge.fronts.dominance import nondominated
from mapmerge.fronts.indicators import Normalisation, hypervolume
from mapmerge.fronts.paired import paired_tests
from mapmerge.fronts.promises import promised_hypervolume, promises
from mapmerge.fronts.verdict import verdict
from mapmerge.history import History
from mapmerge.methods.surfaces import is_sampled
from mapmerge.methods.units import score_noise
from mapmerge.randomness import generator
from mapmerge.records import Array, Evaluation
from mapmerge.response import ResponseSurfaces, objective_to_json
from mapmerge.study import FinalQuestion, Study
from mapmerge.surrogates.features import parameter_count

SCHEMA = "mapmerge/result/1"
LEVEL = 0.9
"""Coverage of every interval in a result."""

_CROWDED = 0.25
"""Share of delivered points on the edge of the region from which on a reader is told."""

BASELINES = ("experts", "uniform", "best_scalar", "random_search")
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
    measured = _Measured(study)
    sets = {name: rows for name, candidates in final.sets.items() if len(rows := measured.rows(candidates))}
    unmerged = [sets[name] for name in ("base", "experts") if name in sets]
    if "delivered" not in sets or not unmerged:
        what = "delivered point" if "delivered" not in sets else "unmerged model, which the units come from,"
        raise FailedRunError(f"no {what} could be measured on every objective of the held-out items")
    seen = History(study.brief.names, (study.rounds[-1],)).observations
    gains = measured.gains(np.vstack(unmerged))
    normalisation = Normalisation.of(gains, noise=score_noise(seen, study.held_out))
    front, dominated = _split(sets.pop("delivered"), measured)
    if len(dominated):
        sets["dominated"] = dominated
    report = compare(
        measured.outcomes(front),
        {name: measured.outcomes(rows) for name, rows in sets.items()},
        normalisation,
        rng=generator(study.config.seed, "bootstrap"),
        level=LEVEL,
    )
    lost = [name for name in BASELINES if name not in sets]
    speak = _Words(study, surfaces)
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
                _indistinguishable(front, sets, measured, speak),
                strict=True,
            )
        ],
        "dominated": rest,
        "baselines": _baselines(sets, report, speak, final.scalar, study.random_share()),
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
            *_warnings(study, surfaces, delivered),
            *_alike(study, gains, normalisation),
            *(f"{name}: not measured on every objective, so the front is not compared with it" for name in lost),
        ],
        "history": history(study, surfaces),
        "region": surfaces.region.to_json(),
    }


def history(study: Study, surfaces: ResponseSurfaces) -> list[dict[str, Any]]:
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


def _warnings(study: Study, surfaces: ResponseSurfaces, delivered: Array) -> list[str]:
    """Say what should make a reader doubt the front, and what to do about it."""
    warnings = []
    for objective, gate in zip(study.objectives, study.gate(surfaces), strict=True):
        if not gate.passed:
            spent = -(-study.brief.spent(study.history) // study.brief.unit)
            warnings.append(
                f"the surrogate of {objective.name!r} failed its gate ({'; '.join(gate.reasons)}) and the budget of "
                f"{study.config.evaluations} evaluations is spent: raise budget.evaluations, for example to {2 * spent}"
            )
    p = parameter_count(len(study.config.experts))
    fewest = min(len(surrogate.measured) for surrogate in surfaces.surrogates)
    if fewest < 2 * p:
        warnings.append(
            f"surrogates were fitted to {fewest} points, fewer than 2p = {2 * p}: their leave-one-out R2 may be too "
            "high, because leave-one-out also chose the ridge"
        )
    for name, scatter in study.repeat_scatter().items():
        warnings.append(
            f"objective {name!r} is not deterministic: the same merge measured again scatters by {scatter:.3g} "
            "(standard deviation of its score), which the intervals of measured scores do not include"
        )
    edge = int(surfaces.region.on_outer_edge(delivered).sum())
    if edge > _CROWDED * len(delivered):
        warnings.append(
            f"{edge} of {len(delivered)} delivered points lie on the outer edge of the sampled region: larger "
            "coefficients may do better; widen design.mass or design.upper"
        )
    return warnings


def _alike(study: Study, unmerged: Array, normalisation: Normalisation) -> list[str]:
    """Name the objectives in which the unmerged models are all alike, and say what that means for the front.

    Args:
        study: what was asked.
        unmerged: gains of the unmerged models on held-out items, shape [n, m].
        normalisation: the units that follow from them.
    """
    flat = normalisation.reference < unmerged.min(axis=0)
    scores = np.sort(unmerged * study.signs, axis=0)
    others = "" if flat.all() else "; what the front gains, it gains in the others"
    return [
        f"objective {objective.name!r} does not tell the unmerged models apart: on held-out items they score "
        f"{low:.4g} to {high:.4g}, alike within the noise. The worst of them counts as 1 in normalised units, and 0 "
        f"lies one unit of {objective.metric.name} below{others}"
        for objective, low, high, same in zip(study.objectives, scores[0], scores[-1], flat, strict=True)
        if same
    ]


class _Measured:
    """Per-item outcomes of the candidates that could be measured on every objective, by their coefficients."""

    def __init__(self, study: Study) -> None:
        self._names = [objective.name for objective in study.objectives]
        self._signs = study.signs
        self._by_place: dict[bytes, dict[str, Evaluation]] = {}
        for evaluation in study.rounds[-1].evaluations:
            if evaluation.outcomes is not None:
                self._by_place.setdefault(evaluation.coefficients.tobytes(), {})[evaluation.objective] = evaluation

    def rows(self, candidates: Array) -> Array:
        """Return those of the candidates [n, k] that no objective failed on."""
        return candidates[[len(self._by_place.get(row.tobytes(), {})) == len(self._names) for row in candidates]]

    def outcomes(self, rows: Array) -> Outcomes:
        """Return outcomes to be maximised: for each objective a table [n, i]."""
        tables = []
        for name, sign in zip(self._names, self._signs, strict=True):
            found = [self._by_place[row.tobytes()][name].outcomes for row in rows]
            tables.append(np.stack([values for values in found if values is not None]) * np.float32(sign))
        return tables

    def gains(self, rows: Array) -> Array:
        """Return mean outcomes to be maximised, shape [n, m]."""
        return np.column_stack([table.mean(axis=1, dtype=np.float64) for table in self.outcomes(rows)])


def _split(delivered: Array, measured: _Measured) -> tuple[Array, Array]:
    """Part the delivered points into the front and the dominated, each from best to worst on the first objective."""
    gains = measured.gains(delivered)
    order = np.argsort(-gains[:, 0], kind="stable")
    kept = nondominated(gains)[order]
    return delivered[order][kept], delivered[order][~kept]


def _predicted_hypervolume(surfaces: ResponseSurfaces, rows: Array, normalisation: Normalisation) -> float:
    gains = normalisation.apply(surfaces.scores(rows) * surfaces.signs)
    return hypervolume(gains, np.zeros(gains.shape[1]))


def _indistinguishable(
    front: Array, sets: Mapping[str, Array], measured: _Measured, speak: "_Words"
) -> list[list[str]]:
    """Return for each front point the other front points, by id, and baselines that it cannot be told apart from."""
    single = {name: sets[name] for name in ("base", "uniform", "best_scalar") if name in sets}
    experts = sets.get("experts", front[:0])
    names = [*speak.ids(front), *single, *(f"expert {speak.expert(row)}" for row in experts)]
    tests = paired_tests(measured.outcomes(np.vstack([front, *single.values(), experts])))
    alike = tests.indistinguishable(LEVEL) & ~np.eye(len(names), dtype=bool)
    return [[names[column] for column in np.flatnonzero(row)] for row in alike[: len(front)]]


def _inside(rows: Array, surfaces: ResponseSurfaces, measured: _Measured) -> dict[str, float]:
    """Return the share of points whose measured score lies in its predicted interval, by objective."""
    low, high = surfaces.intervals(rows, LEVEL)
    scores = measured.gains(rows) * surfaces.signs
    shares = ((low <= scores) & (scores <= high)).mean(axis=0)
    return dict(zip((objective.name for objective in surfaces.objectives), shares.tolist(), strict=True))


class _Words:
    """Numbers by the names of experts and objectives, in the unit of each metric."""

    def __init__(self, study: Study, surfaces: ResponseSurfaces) -> None:
        self.experts = [expert.name for expert in study.config.experts]
        self.objectives = [objective.name for objective in study.objectives]
        self._surfaces = surfaces
        self._signs = study.signs

    def scores(self, gains: Array) -> dict[str, float]:
        """Name the scores behind gains of shape [m]."""
        return dict(zip(self.objectives, (gains * self._signs).tolist(), strict=True))

    def ids(self, rows: Array, *, first: int = 0) -> list[str]:
        """Number delivered points from p01 on, going on from `first`."""
        return [f"p{first + index + 1:02d}" for index in range(len(rows))]

    def expert(self, row: Array) -> str:
        """Name the expert whose coefficients these are."""
        return self.experts[int(np.argmax(row))]

    def points(self, rows: Array, measured: MeasuredSet) -> list[dict[str, Any]]:
        """Describe measured models: coefficients, scores and the ends of their intervals."""
        # The lower end of a score that is to be minimised is the upper end of its gain.
        ends = np.stack([measured.low * self._signs, measured.high * self._signs])
        return [
            {
                "coefficients": dict(zip(self.experts, row.tolist(), strict=True)),
                "measured": self.scores(gains),
                "low": dict(zip(self.objectives, low.tolist(), strict=True)),
                "high": dict(zip(self.objectives, high.tolist(), strict=True)),
            }
            for row, gains, low, high in zip(rows, measured.scores, ends.min(axis=0), ends.max(axis=0), strict=True)
        ]

    def delivered(self, rows: Array, measured: MeasuredSet, *, first: int = 0) -> list[dict[str, Any]]:
        """Describe delivered points, with ids that go on from `first` and with what was predicted of them."""
        ids = self.ids(rows, first=first)
        scores = self._surfaces.scores(rows)
        low, high = self._surfaces.intervals(rows, LEVEL)
        return [
            {
                "id": ids[index],
                **point,
                "predicted": dict(zip(self.objectives, scores[index].tolist(), strict=True)),
                "predicted_low": dict(zip(self.objectives, low[index].tolist(), strict=True)),
                "predicted_high": dict(zip(self.objectives, high[index].tolist(), strict=True)),
            }
            for index, point in enumerate(self.points(rows, measured))
        ]


def _baselines(
    sets: dict[str, Array], report: FrontReport, speak: _Words, scalar: float, share: float
) -> dict[str, Any]:
    def points(name: str) -> list[dict[str, Any]]:
        return speak.points(sets[name], report.baselines[name]) if name in sets else []

    def point(name: str, **more: float) -> dict[str, Any] | None:
        return {**points(name)[0], **more} if name in sets else None

    volumes: dict[str, Comparison] = {comparison.baseline: comparison for comparison in report.comparisons}
    experts = {speak.expert(row): point for row, point in zip(sets.get("experts", ()), points("experts"), strict=True)}
    searched = volumes.get("random_search")
    return {
        "base": point("base"),
        "experts": experts,
        "uniform": point("uniform"),
        "best_scalar": point("best_scalar", scalar=scalar),
        "random_search": {
            "points": points("random_search"),
            "hypervolume": searched.hypervolume.to_json() if searched else None,
            "share_of_cost": share,
        },
    }
