"""The study that faults are injected into: small, with a trace of every measurement that was begun."""

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

PLUGIN = Path(__file__).parents[1] / "tests" / "plugin"
"""The evaluator `probe`, which leaves a file for every measurement that it begins."""

K = 2
MARKS = "marks"
PEAKS = {"z": [0.8, 0.1], "a": [0.1, 0.8]}
"""Objectives, not in alphabetical order, and where each is best."""

ACTORS, IN_FLIGHT = 2, 4
"""Of runs on Ray: actors, and candidates that are handed out at a time."""


def write_study(folder: Path, *, seconds: float, seed: int) -> Path:
    """Write the study of one episode, with its models.

    Args:
        folder: is made.
        seconds: what each measurement takes.
        seed: of the study.

    Returns:
        The study file; `marks` beside it gets the traces.
    """
    (folder / MARKS).mkdir(parents=True)
    eye = torch.eye(K)
    weights = {"base": torch.ones(1, K)} | {f"e{expert}": torch.ones(1, K) + eye[expert] for expert in range(K)}
    for name, weight in weights.items():
        save_file({"weight": weight}, folder / f"{name}.safetensors")
    for split in ("search", "held_out"):
        (folder / f"{split}.json").write_text(json.dumps({"name": split, "items": 64}))
    study: dict[str, Any] = {
        "name": "faults",
        "seed": seed,
        "base": "base.safetensors",
        "architecture": {
            "build": "torch.nn:Linear",
            "options": {"in_features": K, "out_features": 1, "bias": False},
        },
        "experts": [{"name": f"e{expert}", "checkpoint": f"e{expert}.safetensors"} for expert in range(K)],
        "objectives": [
            {
                "name": name,
                "evaluator": "probe",
                "search": "search.json",
                "held_out": "held_out.json",
                "options": {"peak": list(peak), "marks": MARKS, "seconds": seconds},
            }
            for name, peak in PEAKS.items()
        ],
        "method": "map",
        "budget": {"evaluations": 24, "front": 12},
        "baselines": {"scalars": [0.25, 0.5, 0.75]},
        "compute": {"executor": "serial", "actors": ACTORS, "max_in_flight": IN_FLIGHT},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path
