"""Sample results: shaped like those of a run, with numbers from a seeded generator."""

from collections.abc import Callable
from typing import Any

import moocore
import numpy as np
import pytest
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAMES = ("digits", "street numbers", "traffic signs", "satellite", "textures", "cars", "scenes", "letters")
ITEMS = 1500


@pytest.fixture(scope="session")
def make_result() -> Callable[..., dict[str, Any]]:
    return sample_result


def sample_result(
    m: int, *, k: int | None = None, seed: int = 0, lowered: bool = False, size: int = 24
) -> dict[str, Any]:
    """Return a result for m objectives and k experts; `lowered` turns the last objective into a loss."""
    k = m if k is None else k
    rng = np.random.default_rng([seed, m, k])
    experts = [NAMES[i] if i < len(NAMES) else f"expert {i + 1}" for i in range(k)]
    objectives = [_objective(name, lowered and place == m - 1) for place, name in enumerate(_objective_names(m))]
    start, reach = rng.uniform(-1.6, -0.2, m), rng.uniform(3.6, 4.6, m)
    clash = rng.uniform(0.4, 0.9, (m, k))

    def scores(c: Floats) -> Floats:
        owned = np.stack([c[:, j % k] for j in range(m)], axis=1)
        others = c.sum(axis=1, keepdims=True) - owned
        crowd = others * clash.mean(axis=1) * min(1.0, 3.0 / k)
        eta = start + reach * (1 - np.exp(-3 * owned)) - crowd - 0.4 * crowd**2
        share = 1 / (1 + np.exp(-eta))
        return np.where([o["direction"] == "minimize" for o in objectives], -np.log(share * 0.98 + 0.01), share)

    sign = np.array([-1.0 if o["direction"] == "minimize" else 1.0 for o in objectives])
    pool = rng.dirichlet(np.ones(k), 6000) * rng.uniform(0.5, 1.5, (6000, 1))
    gains = scores(pool) * sign
    best = pool[_spread(gains, moocore.is_nondominated(gains, maximise=True), size)]

    def measure(c: Floats) -> tuple[Floats, Floats]:
        true = scores(c)
        lost = np.array([o["direction"] == "minimize" for o in objectives])
        share = np.clip(true, 0, 1)
        error = np.where(lost, 0.55 * np.sqrt(true) + 0.1, np.sqrt(share * (1 - share) + 1e-3)) / np.sqrt(ITEMS)
        shown = true + rng.normal(0, 0.8, true.shape) * error
        return np.where(lost, np.maximum(shown, 0.01), np.clip(shown, 0, 1)), error

    def point(c: Floats, measured: Floats, error: Floats) -> dict[str, Any]:
        return {
            "coefficients": dict(zip(experts, c.tolist(), strict=True)),
            "measured": _by(objectives, measured),
            "low": _by(objectives, measured - 1.64 * error),
            "high": _by(objectives, measured + 1.64 * error),
        }

    measured, errors = measure(best)
    predicted = scores(best) + rng.normal(0, 0.012, measured.shape)
    kept = moocore.is_nondominated(measured * sign, maximise=True)
    delivered = [
        {
            "id": f"p{place + 1:02d}",
            **point(best[place], measured[place], errors[place]),
            "predicted": _by(objectives, predicted[place]),
            "predicted_low": _by(objectives, predicted[place] - 0.02),
            "predicted_high": _by(objectives, predicted[place] + 0.02),
            "probability_nondominated": float(rng.uniform(0.55, 1.0) if kept[place] else rng.uniform(0.05, 0.45)),
        }
        for place in range(len(best))
    ]
    for point_of_front in (p for p, keep in zip(delivered, kept, strict=True) if keep):
        point_of_front["indistinguishable_from"] = []
    alike = [p for p, keep in zip(delivered, kept, strict=True) if keep][:2]
    if len(alike) == 2:
        alike[0]["indistinguishable_from"] = [alike[1]["id"], "uniform", f"expert {experts[0]}"]
        alike[1]["indistinguishable_from"] = [alike[0]["id"]]
    single = np.vstack([np.zeros(k), np.eye(k), np.full(k, 1 / k), np.full(k, 1.35 / k), pool[:40]])
    others = [point(*row) for row in zip(single, *measure(single), strict=True)]
    unmerged = np.array([list(p["measured"].values()) for p in others[: k + 1]]) * sign
    reference, ideal = unmerged.min(axis=0), unmerged.max(axis=0)

    def volume(values: Floats) -> float:
        units = (values * sign - reference) / (ideal - reference)
        return float(moocore.hypervolume(-units, ref=np.zeros(m)))

    front_volume = volume(measured)
    named = {
        "experts": volume(unmerged[1:] * sign),
        "uniform": volume(_scores_of(others[k + 1 : k + 2])),
        "best_scalar": volume(_scores_of(others[k + 2 : k + 3])),
        "random_search": volume(_scores_of(others[k + 3 :])),
    }
    rounds = [("design", 24 * m, 0.86), ("round 2", 34 * m, 0.94), ("round 3", 44 * m, 0.97), ("front", 68 * m, 1.0)]
    return {
        "schema": "mapmerge/result/1",
        "run_uri": f"runs/vision-{m}",
        "run_id": f"vision-{m}",
        "study": f"vision-{m}",
        "method": "task arithmetic",
        "seed": seed,
        "status": "complete",
        "experts": experts,
        "objectives": objectives,
        "evaluations": 68 * m + 24 * m + 46 * m,
        "evaluations_reused": 12,
        "evaluations_failed": 0,
        "items_forwarded": 138 * m * ITEMS,
        "seconds": 372.4,
        "hypervolume": {
            "value": front_volume,
            "low": front_volume - 0.014,
            "high": front_volume + 0.013,
            "level": 0.9,
            "predicted": front_volume + 0.008,
            "reference_point": _by(objectives, reference * sign),
            "ideal_point": _by(objectives, ideal * sign),
        },
        "surrogates": {o["name"]: _surrogate(o, scores, pool[:30], place, rng) for place, o in enumerate(objectives)},
        "winners_curse": {
            "points": len(delivered),
            "level": 0.9,
            "objectives": {o["name"]: _promise(0.003 if place else 0.021) for place, o in enumerate(objectives)},
            "hypervolume": {**_promise(0.04), "low": -0.01, "high": 0.09, "words": "no difference beyond the noise"},
        },
        "calibration": {
            "points": len(delivered),
            "level": 0.9,
            "inside": {o["name"]: 0.75 if place else 0.875 for place, o in enumerate(objectives)},
        },
        "front": [p for p, keep in zip(delivered, kept, strict=True) if keep],
        "dominated": [p for p, keep in zip(delivered, kept, strict=True) if not keep],
        "baselines": {
            "base": others[0],
            "experts": dict(zip(experts, others[1 : k + 1], strict=True)),
            "uniform": {**others[k + 1], "hypervolume": named["uniform"]},
            "best_scalar": {**others[k + 2], "scalar": 1.35 / k, "hypervolume": named["best_scalar"]},
            "random_search": {
                "points": others[k + 3 :],
                "hypervolume": {
                    "value": named["random_search"],
                    "low": named["random_search"] - 0.02,
                    "high": named["random_search"] + 0.02,
                },
            },
        },
        "comparisons": [_comparison(name, value, front_volume) for name, value in named.items()],
        "verdict": (
            f"The front beats the single experts and the best scalar merge by more than the noise; at the same number "
            f"of evaluations random search reaches {named['random_search']:.2f} of its {front_volume:.2f} hypervolume."
        ),
        "warnings": ["Two experts are close to each other (cosine 0.94): their coefficients trade places."],
        "history": [{"round": name, "evaluations": n, "hypervolume": front_volume * part} for name, n, part in rounds],
        "failures": [],
        "region": {"lower": [0.0] * k, "upper": [1.6] * k, "mass": [0.0, 1.6]},
        "provenance": {
            "mapmerge": "0.1.0",
            "python": "3.11.7",
            "torch": "2.9.1",
            "platform": "Linux x86_64",
            "architecture": "vision.models:small_vit",
            "base": "a" * 64,
            "experts": {name: f"{place:x}".zfill(2) * 32 for place, name in enumerate(experts)},
            "item_sets": {
                o["name"]: {split: {"items": ITEMS, "sha256": "c" * 64} for split in ("search", "held_out")}
                for o in objectives
            },
            "started": "2026-03-02T09:14:03Z",
            "finished": "2026-03-02T09:20:15Z",
        },
    }


def _objective_names(m: int) -> list[str]:
    return [NAMES[j] if j < len(NAMES) else f"objective {j + 1}" for j in range(m)]


def _objective(name: str, lowered: bool) -> dict[str, Any]:
    if lowered:
        return {"name": name, "metric": "cross_entropy", "direction": "minimize", "lower": 0.0, "upper": None}
    return {"name": name, "metric": "accuracy", "direction": "maximize", "lower": 0.0, "upper": 1.0}


def _by(objectives: list[dict[str, Any]], values: Floats) -> dict[str, float]:
    return {o["name"]: float(value) for o, value in zip(objectives, values, strict=True)}


def _scores_of(points: list[dict[str, Any]]) -> Floats:
    return np.array([list(p["measured"].values()) for p in points])


def _spread(gains: Floats, kept: NDArray[np.bool_], size: int) -> NDArray[np.intp]:
    """Return front points far from each other, greedily."""
    candidates = np.flatnonzero(kept)
    units = (gains[candidates] - gains[candidates].min(axis=0)) / np.ptp(gains[candidates], axis=0)
    chosen = [int(units.min(axis=1).argmax())]
    while len(chosen) < min(size, len(candidates)):
        away = np.linalg.norm(units[:, None] - units[chosen], axis=2).min(axis=1)
        chosen.append(int(away.argmax()))
    return candidates[chosen]


def _surrogate(
    objective: dict[str, Any], scores: Callable[[Floats], Floats], c: Floats, place: int, rng: np.random.Generator
) -> dict[str, Any]:
    measured = scores(c)[:, place]
    predicted = measured + rng.normal(0, 0.06 * np.std(measured) * (1 + place), len(c))
    residual = predicted - measured
    fit = 1 - float(np.sum(residual**2) / np.sum((measured - measured.mean()) ** 2))
    return {
        "kind": "quadratic",
        "link": "softplus" if objective["direction"] == "minimize" else "logistic",
        "r2_cv": fit,
        "loo_rmse": float(np.sqrt(np.mean(residual**2))),
        "condition": 412.0 * (1 + place),
        "points": len(c),
        "passed": fit >= 0.8,
        "reasons": [] if fit >= 0.8 else [f"cross-validated R² {fit:.2f} is below 0.80"],
        "loo": [{"measured": float(a), "predicted": float(b)} for a, b in zip(measured, predicted, strict=True)],
    }


def _promise(value: float) -> dict[str, Any]:
    low, high = value - 0.0125, value + 0.0125
    words = "promised too much" if low > 0 else "no difference beyond the noise"
    return {"value": value, "standard_error": 0.0076, "low": low, "high": high, "words": words}


def _comparison(name: str, value: float, front: float) -> dict[str, Any]:
    difference = front - value
    low, high = difference - 0.021, difference + 0.02
    return {
        "baseline": name,
        "hypervolume": value,
        "difference": difference,
        "low": low,
        "high": high,
        "words": "better" if low > 0 else "worse" if high < 0 else "no difference beyond the noise",
    }
