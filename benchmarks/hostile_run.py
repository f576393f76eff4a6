"""A small complete run, made without measuring anything."""

from pathlib import Path
from typing import Any

import numpy as np

from mapmerge.designs.region import Region
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from mapmerge.records import Metric, Objective
from mapmerge.response import ResponseSurfaces, objective_to_json
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.gaussian_process import fit_gaussian_process
from mapmerge.surrogates.margins import fit_margins
from mapmerge.surrogates.thin import fit_thin_quadratic

NAMES, EXPERTS = ("a", "b", "c", "d"), ("x", "y")


def run_files(output: Path) -> dict[str, bytes]:
    """Write a run called `first` and return its files by name, those that are JSON."""
    surfaces = _surfaces()
    folder = RunFolder(Store(str(output)), "first")
    folder.create(_frozen(surfaces))
    folder.append_event("round", {"name": "design", "candidates": 12})
    folder.record_failure("ab" * 32, error="no", attempts=3, details={"objective": "a", "split": "search"})
    folder.put_json("surfaces", surfaces.to_json())
    folder.put_json("result", _result(surfaces, folder.uri))
    folder.put_json("measured", {"coefficients": [[0.1, 0.2]], "wanted": [{"a": None}]})
    folder.seal(EvaluationLedger(folder.store), [])
    return {key: folder.files.read(key) for key in folder.files.list() if key != "measured.json"}


def _surfaces() -> ResponseSurfaces:
    points = np.random.default_rng(0).random((12, 2))
    scores = 0.3 + 0.2 * points.sum(axis=1)
    metric = Metric("accuracy", 0.0, 1.0, True)
    variances, items = np.full(12, 1e-4), np.full(12, 200.0)
    given = points, scores, variances, items, metric
    margins = (np.linspace(-1.0, 1.0, 30) + points.sum(axis=1)[:, None]).astype(np.float32)
    thin = fit_thin_quadratic(points[:4], scores[:4], variances[:4], items[:4], metric)
    fits = fit_quadratic(*given), fit_gaussian_process(*given), fit_margins(*given, margins), thin
    objectives = tuple(Objective(name, metric) for name in NAMES)
    return ResponseSurfaces(objectives, fits, Region(np.zeros(2), np.ones(2), (0.1, 1.5)), (50.0,) * 4, points)


def _frozen(surfaces: ResponseSurfaces) -> dict[str, Any]:
    return {
        "schema": "mapmerge/run/1",
        "config": {
            "name": "small",
            "base": "base",
            "architecture": {"build": "m.n:f", "options": {}},
            "experts": [{"name": name, "checkpoint": name} for name in EXPERTS],
            "objectives": [{"name": n, "evaluator": "classification", "search": "s", "held_out": "h"} for n in NAMES],
        },
        "root": "/nowhere",
        "objectives": [objective_to_json(objective) for objective in surfaces.objectives],
        "inputs": {
            "base": "00",
            "experts": dict.fromkeys(EXPERTS, "11"),
            "evaluators": _evaluators(),
        },
        "deterministic": dict.fromkeys(NAMES, True),
        "warnings": [],
    }


def _evaluators() -> dict[str, Any]:
    evaluator = {"name": "classification", "version": "1", "items": 50, "identity": {"sha256": "0"}}
    return {name: {"search": evaluator, "held_out": evaluator} for name in NAMES}


def _result(surfaces: ResponseSurfaces, uri: str) -> dict[str, Any]:
    def scores(value: float) -> dict[str, float]:
        return dict.fromkeys(NAMES, value)

    def model(value: float) -> dict[str, Any]:
        mix = dict.fromkeys(EXPERTS, value)
        return {"coefficients": mix, "measured": scores(value), "low": scores(value - 0.1), "high": scores(value + 0.1)}

    def point(number: int, value: float) -> dict[str, Any]:
        ends = {"predicted_low": scores(value - 0.1), "predicted_high": scores(value + 0.1)}
        return {"id": f"p{number:02d}", **model(value), "predicted": scores(value), **ends}

    interval = {"value": 0.5, "low": 0.4, "high": 0.6}
    more = {"probability_nondominated": 0.9, "indistinguishable_from": ["uniform"]}
    fit = {
        "link": "logistic",
        "r2_cv": 0.9,
        "loo_rmse": 0.01,
        "condition": 9.0,
        "points": 12,
        "passed": True,
        "reasons": [],
        "loo": [{"measured": 0.5, "predicted": 0.4}],
    }
    promise = {**interval, "standard_error": 0.1, "words": "no difference beyond the noise"}
    return {
        "schema": "mapmerge/result/1",
        "run_uri": uri,
        "run_id": "first",
        "study": "small",
        "method": "map",
        "seed": 0,
        "status": "complete",
        "experts": list(EXPERTS),
        "objectives": [objective_to_json(objective) for objective in surfaces.objectives],
        **dict.fromkeys(("evaluations", "evaluations_reused", "evaluations_failed", "items_forwarded"), 12),
        "seconds": 1.5,
        "extends": None,
        "hypervolume": {
            **interval,
            "level": 0.9,
            "predicted": 0.6,
            "reference_point": scores(0.1),
            "ideal_point": scores(0.9),
        },
        "surrogates": {
            name: {"kind": fitted.kind, **fit} for name, fitted in zip(NAMES, surfaces.surrogates, strict=True)
        },
        "front": [point(1, 0.6) | more, point(2, 0.7) | more],
        "dominated": [point(3, 0.5)],
        "winners_curse": {
            "points": 3,
            "level": 0.9,
            "objectives": dict.fromkeys(NAMES, promise),
            "hypervolume": promise,
        },
        "calibration": {"points": 3, "level": 0.9, "inside": scores(0.9)},
        "baselines": {
            "base": model(0.2),
            "uniform": model(0.5),
            "best_scalar": {**model(0.5), "scalar": 0.3},
            "experts": {name: model(0.4) for name in EXPERTS},
            "random_search": {"points": [model(0.5)], "hypervolume": interval, "share_of_cost": 0.5},
        },
        "comparisons": [
            {"baseline": "uniform", "hypervolume": 0.4, "difference": 0.1, "low": 0.0, "high": 0.2, "words": "better"}
        ],
        "verdict": "Better than the uniform merge.",
        "warnings": ["only an example"],
        "history": [{"round": "design", "evaluations": 4, "hypervolume": 0.3}],
        "failures": [
            {
                "coefficients": dict.fromkeys(EXPERTS, 0.1),
                "objective": "a",
                "split": "search",
                "error": "no",
                "attempts": 3,
            }
        ],
        "region": surfaces.region.to_json(),
        "provenance": {"mapmerge": "0", "item_sets": _evaluators()},
    }
