"""How good surrogates are on real merged models, and what their penalty and their link are worth.

Every candidate is measured once. Then fits of the same points compete in predicting candidates that none of them saw:

| fit              | link     | strength of the ridge                                                   |
|------------------|----------|-------------------------------------------------------------------------|
| `ours`           | metric's | least leave-one-out deviance: `fit_quadratic` as it is                  |
| `likelihood`     | metric's | largest marginal likelihood (Laplace)                                   |
| `loo_squared`    | metric's | least leave-one-out squared error on the metric's scale                 |
| `no_penalty`     | metric's | as good as none (1e-10)                                                 |
| `identity_ridge` | identity | least leave-one-out deviance                                            |
| `identity`       | identity | as good as none: ordinary least squares                                 |
| `curve_fit`      | metric's | none: `scipy.optimize.curve_fit` from all ones, as the released MAP does |

    python -m benchmarks.surrogates --study ZOO/study.yaml --points 15 30 60 --seeds 5 --out FILE.json
"""

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from benchmarks.machine import write
from mapmerge.config import StudyConfig, read_study
from mapmerge.designs.initial import design
from mapmerge.designs.rank import require_identifiable
from mapmerge.designs.region import Region
from mapmerge.randomness import generator
from mapmerge.records import Array, Metric, Split
from mapmerge.surrogates import fitting
from mapmerge.surrogates.features import parameter_count, quadratic_features
from mapmerge.surrogates.links import Link
from mapmerge.surrogates.ridge import Problem, RidgeFit, fit_ridge, leave_one_out
from tasks.inputs import open_inputs
from tasks.pool import Pool, Work, open_pool
from tasks.resident import Blueprint

LEVEL = 0.9
SPLITS: tuple[Split, ...] = ("search", "held_out")
DIGITS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--points", type=int, nargs="+", required=True, help="sizes of the design to try")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--test", type=int, default=200, help="candidates that no fit sees, spread over the region")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    study = options.study.resolve()
    config = read_study(study, options.overrides)
    objectives = open_inputs(config, study.parent).objectives
    names = tuple(objective.name for objective in objectives)
    designs = {(n, seed): _design(config, n, seed)[0] for n in options.points for seed in range(options.seeds)}
    test = _design(config, max(options.points), 0)[1].sample(options.test, generator(0, "surrogates", "test"))
    wanted = np.unique(np.vstack(list(designs.values())), axis=0)
    with open_pool(config.compute, Blueprint(config.model_dump(mode="json"), str(study.parent))) as pool:
        truth = {split: _measure(pool, test, split, names) for split in SPLITS}
        told = _measure(pool, wanted, "search", names)
    results = []
    for (n, seed), candidates in designs.items():
        for objective in objectives:
            points = told[objective.name].of(candidates)
            answers = {split: points[objective.name].of(test).scores for split, points in truth.items()}
            for name, fit in FITS.items():
                entry = {"points": n, "seed": seed, "objective": objective.name, "fit": name}
                results.append(entry | _judge(fit, points, objective.metric, test, answers))
        print(f"{n} points, seed {seed}: done", flush=True)
    write(
        options.out,
        "surrogates",
        results,
        study=config.name,
        overrides=options.overrides,
        parameters=parameter_count(len(config.experts)),
        test_candidates=options.test,
        objectives=[
            {
                "name": objective.name,
                "metric": objective.metric.name,
                "items": {split: int(truth[split][objective.name].items[0]) for split in truth},
                "sd_of_test_scores": round(float(np.std(truth["search"][objective.name].scores)), DIGITS),
                "rmse_between_splits": _rmse(
                    truth["search"][objective.name].scores - truth["held_out"][objective.name].scores
                ),
            }
            for objective in objectives
        ],
        interval_level=LEVEL,
        summary=[_summary(results, n, name) for n in options.points for name in FITS],
    )


# What is measured


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Measured candidates [n, k] of one objective: scores [n], their sampling variances [n] and items [n]."""

    coefficients: Array
    scores: Array
    variances: Array
    items: Array

    def of(self, candidates: Array) -> "Points":
        """Return these candidates, in this order."""
        place = {row.tobytes(): index for index, row in enumerate(self.coefficients)}
        at = [place[row.tobytes()] for row in candidates]
        return Points(self.coefficients[at], self.scores[at], self.variances[at], self.items[at])


def _design(config: StudyConfig, n: int, seed: int) -> tuple[Array, Region]:
    """Return the candidates and the region that a study with this budget and seed has."""
    d = config.design
    rng = generator(seed, "design")
    drawn = design(d.kind, n, len(config.experts), rng=rng, mass=d.mass, lower=d.lower, upper=d.upper)
    require_identifiable(drawn.coefficients)
    return drawn.coefficients, drawn.region


def _measure(pool: Pool, candidates: Array, split: Split, names: Sequence[str]) -> dict[str, Points]:
    """Measure candidates [n, k] on every objective."""
    rows = []
    for finished in pool.run([Work(row, split, dict.fromkeys(names)) for row in candidates]):
        outcomes = [result.outcomes for result in finished.measured if result.outcomes is not None]
        assert len(outcomes) == len(names), finished.measured
        rows.append(
            (
                finished.work.coefficients,
                [
                    (np.mean(values, dtype=np.float64), np.var(values, dtype=np.float64) / len(values), len(values))
                    for values in outcomes
                ],
            )
        )
        if len(rows) % 100 == 0:
            print(f"{split}: {len(rows)} of {len(candidates)} candidates measured", flush=True)
    coefficients = np.array([row for row, _ in rows])
    table = np.array([values for _, values in rows], dtype=np.float64)  # [n, m, 3]
    return {name: Points(coefficients, *table[:, index].T) for index, name in enumerate(names)}


# The fits that compete


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a fit predicts; intervals and leave-one-out figures are None where the fit gives none."""

    predict: Callable[[Array], Array]
    interval: Callable[[Array], tuple[Array, Array]] | None = None
    r2_cv: float | None = None
    loo_rmse: float | None = None
    ridge: float | None = None


Fit = Callable[[Points, Metric], Fitted]
Choice = Callable[[Problem, Array, float], tuple[float, RidgeFit]]


def _quadratic(choose: Choice | None = None, *, identity: bool = False) -> Fit:
    """Return `fit_quadratic` with nothing but the choice of the ridge's strength, or the link, replaced."""

    def fit(points: Points, metric: Metric) -> Fitted:
        if identity:
            metric = replace(metric, lower=None, upper=None)
        noise = fitting.noise_of_items(
            link := Link.of(metric), link.unit(points.scores), points.variances, points.items
        )
        replaced = fitting._best_fit if choose is None else lambda problem, shape: choose(problem, shape, noise)
        with patch.object(fitting, "_best_fit", replaced):
            surrogate = fitting.fit_quadratic(
                points.coefficients, points.scores, points.variances, points.items, metric
            )
        # As many parameters as points and nothing that holds them: a point left out cannot be predicted.
        told = choose is not _least_ridge or len(points.scores) > len(surrogate.parameters)
        return Fitted(
            predict=surrogate.predict,
            interval=lambda candidates: surrogate.interval(candidates, LEVEL),
            r2_cv=surrogate.r2_cv if told else None,
            loo_rmse=surrogate.loo_rmse if told else None,
            ridge=surrogate.ridge,
        )

    return fit


def _path(problem: Problem, shape: Array) -> list[tuple[float, RidgeFit]]:
    """Return the fits for all strengths that `fit_quadratic` tries, strongest first."""
    start, path = np.zeros(problem.features.shape[1]), []
    start[0] = np.mean(problem.linearised())
    for strength in fitting._STRENGTHS:
        fit = fit_ridge(problem, strength * shape, start)
        start = fit.parameters
        path.append((float(strength), fit))
    return path


def _likelihood(problem: Problem, shape: Array, floor: float) -> tuple[float, RidgeFit]:
    """Return the strength with the largest marginal likelihood; the noise is never below that of the items."""
    n = len(problem.unit)

    def lost(entry: tuple[float, RidgeFit]) -> float:
        strength, fit = entry
        noise = fitting._dispersion(fit, n, floor)
        determinants = -np.linalg.slogdet(fit.inverse)[1] - float(np.sum(np.log(strength * shape[1:])))
        return float((fit.deviance + fit.penalty) / noise + (n - 1) * math.log(noise) + determinants)

    return min(_path(problem, shape), key=lost)


def _least_ridge(problem: Problem, shape: Array, floor: float) -> tuple[float, RidgeFit]:
    return _path(problem, shape)[-1]


def _least(criterion: Callable[[Problem, Array], float]) -> Choice:
    """Return the choice of the strength whose leave-one-out predictions, etas [n], have the least criterion."""
    return lambda problem, shape, floor: min(
        _path(problem, shape), key=lambda entry: criterion(problem, leave_one_out(problem, entry[1]))
    )


def _squared_error(problem: Problem, eta: Array) -> float:
    return float(np.sum((problem.link.unit_mean(eta) - problem.unit) ** 2))


def _curve_fit(points: Points, metric: Metric) -> Fitted:
    """Fit as the released MAP code does: unconstrained, unweighted, raw coefficients, all parameters starting at 1."""
    link = Link.of(metric)
    features = quadratic_features(points.coefficients)

    def predict(features: Array, *parameters: float) -> Array:
        eta = features @ np.array(parameters)
        return link.mean(np.clip(eta, -500.0, 500.0) if link.kind == "logistic" else eta)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # no covariance: nobody asks for it
        found, _ = curve_fit(predict, features, points.scores, p0=np.ones(features.shape[1]))
    return Fitted(predict=lambda candidates: predict(quadratic_features(candidates), *found))


FITS: dict[str, Fit] = {
    "ours": _quadratic(),
    "likelihood": _quadratic(_likelihood),
    "loo_squared": _quadratic(_least(_squared_error)),
    "no_penalty": _quadratic(_least_ridge),
    "identity_ridge": _quadratic(identity=True),
    "identity": _quadratic(_least_ridge, identity=True),
    "curve_fit": _curve_fit,
}


# How good they are


def _judge(fit: Fit, points: Points, metric: Metric, test: Array, truth: dict[Split, Array]) -> dict[str, Any]:
    """Fit, and compare predictions of the test candidates [n, k] with their measured scores by split."""
    began = time.perf_counter()
    try:
        fitted = fit(points, metric)
    except (RuntimeError, np.linalg.LinAlgError) as error:
        return {"error": " ".join(str(error).split())}
    entry: dict[str, Any] = {"seconds": time.perf_counter() - began, "ridge": fitted.ridge}
    predicted = fitted.predict(test)
    for split, scores in truth.items():
        entry[f"r2_{split}"] = r2(scores, predicted)
        entry[f"rmse_{split}"] = _rmse(scores - predicted)
        if fitted.interval is not None:
            low, high = fitted.interval(test)
            entry[f"coverage_{split}"] = float(np.mean((low <= scores) & (scores <= high)))
            entry["interval_width"] = float(np.mean(high - low))
    if fitted.r2_cv is not None and fitted.loo_rmse is not None:
        entry["r2_cv"], entry["loo_rmse"] = fitted.r2_cv, fitted.loo_rmse
        if entry["r2_search"] is not None:
            entry["r2_cv_minus_r2"] = fitted.r2_cv - entry["r2_search"]
        entry["loo_rmse_over_rmse"] = fitted.loo_rmse / entry["rmse_search"]
    return {key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value for key, value in entry.items()}


def r2(scores: Array, predicted: Array) -> float | None:
    """Return the coefficient of determination of predictions, None where all scores are the same."""
    total = float(np.sum((scores - np.mean(scores)) ** 2))
    return 1.0 - float(np.sum((scores - predicted) ** 2)) / total if total > 0.0 else None


def _rmse(errors: Array) -> float:
    return round(float(np.sqrt(np.mean(errors**2))), DIGITS)


def _summary(results: list[dict[str, Any]], n: int, fit: str) -> dict[str, Any]:
    """Sum one fit at one size up over seeds and objectives; `rmse_over_ours` pairs it with ours on the same points."""
    own, ours = (
        {
            (entry["seed"], entry["objective"]): entry
            for entry in results
            if (entry["points"], entry["fit"]) == (n, name)
        }
        for name in (fit, "ours")
    )
    whole = [entry for entry in own.values() if "error" not in entry]
    summary: dict[str, Any] = {"points": n, "fit": fit, "fits": len(own), "failed": len(own) - len(whole)}
    for key in (
        "r2_search",
        "rmse_search",
        "r2_held_out",
        "rmse_held_out",
        "r2_cv",
        "r2_cv_minus_r2",
        "loo_rmse_over_rmse",
        "interval_width",
        "ridge",
        "seconds",
    ):
        summary[key] = _spread([entry[key] for entry in whole if entry.get(key) is not None])
    for key in ("coverage_search", "coverage_held_out"):
        shares = [entry[key] for entry in whole if key in entry]
        summary[key] = _spread(shares) and {"mean": round(statistics.fmean(shares), DIGITS)} | (_spread(shares) or {})
    for split in ("search", "held_out"):
        ratios = [
            entry[f"rmse_{split}"] / ours[at][f"rmse_{split}"]
            for at, entry in own.items()
            if "error" not in entry and "error" not in ours[at]
        ]
        summary[f"rmse_{split}_over_ours"] = (_spread(ratios) or {}) | {
            "geometric_mean": round(math.exp(statistics.fmean(map(math.log, ratios))), DIGITS) if ratios else None,
            "above_1": sum(ratio > 1.0 for ratio in ratios),
            "below_1": sum(ratio < 1.0 for ratio in ratios),
        }
    return summary


def _spread(values: list[float]) -> dict[str, float] | None:
    """Return median, least and greatest, or None where there are no values."""
    if not values:
        return None
    ends = {"median": statistics.median(values), "least": min(values), "greatest": max(values)}
    return {key: float(f"{value:.{DIGITS}g}") for key, value in ends.items()}


if __name__ == "__main__":
    main()
