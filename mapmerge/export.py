"""Write the merged model of one point, with the card that says what it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mapmerge.checkpoints.export import export_checkpoint
from mapmerge.checkpoints.open import open_checkpoint
from mapmerge.config import StudyConfig
from mapmerge.config.model import resolve
from mapmerge.errors import RunError
from mapmerge.finished import FinishedRun
from mapmerge.frozen import frozen_study


def export(run: FinishedRun, point: Mapping[str, Any], out: Path) -> Path:
    """Merge one point of a run and write it as a checkpoint folder.

    Args:
        run: the run that the point is of.
        point: a point of the front, or what `FinishedRun.pick` answers; its `coefficients` are used.
        out: folder to write, new or empty.

    Returns:
        The folder.

    Raises:
        RunError: a checkpoint is no longer the one that was measured.
        ConfigError: `out` holds something already.
    """
    study = frozen_study(run.folder)
    config, root = StudyConfig.model_validate(study["config"]), Path(study["root"])
    base = open_checkpoint(resolve(root, config.base))
    experts = [open_checkpoint(resolve(root, expert.checkpoint)) for expert in config.experts]
    measured = [study["inputs"]["base"], *(study["inputs"]["experts"][expert.name] for expert in config.experts)]
    for checkpoint, fingerprint in zip([base, *experts], measured, strict=True):
        if checkpoint.fingerprint() != fingerprint:
            raise RunError(
                f"{checkpoint.path}: has changed since the run measured it; put the old file back or run again"
            )
    coefficients = np.array([point["coefficients"][expert.name] for expert in config.experts], dtype=np.float64)
    record = {
        "run": run.folder.uri,
        "point": point.get("id"),
        "method": "task_arithmetic",
        "coefficients": dict(point["coefficients"]),
        "base": study["inputs"]["base"],
        "experts": study["inputs"]["experts"],
        "scores": {key: dict(point[key]) for key in _SCORES if key in point},
    }
    return export_checkpoint(out, base, experts, coefficients, card=card(run, point), config=record)


_SCORES = ("measured", "low", "high", "predicted", "predicted_low", "predicted_high")


def card(run: FinishedRun, point: Mapping[str, Any]) -> str:
    """Return the model card (Markdown) of one point: inputs, hashes, coefficients, scores."""
    result, study = run.result, frozen_study(run.folder)
    config = study["config"]
    title = f"point {point['id']}" if "id" in point else "a preference"
    lines = [
        f"# {result['study']}: merged model, {title}",
        "",
        "A merged model: base + sum of coefficient x (expert - base), accumulated in float32. Made by mapmerge.",
        "",
        "| model | coefficient | checkpoint | SHA-256 of its tensors |",
        "|---|---|---|---|",
        f"| base | | `{config['base']}` | `{study['inputs']['base']}` |",
    ]
    for expert in config["experts"]:
        name = expert["name"]
        lines.append(
            f"| {name} | {point['coefficients'][name]!r} | `{expert['checkpoint']}` | "
            f"`{study['inputs']['experts'][name]}` |"
        )
    lines += ["", "## Scores", "", f"| objective | metric | {' | '.join(_columns(point))} |"]
    lines.append("|---|---|" + "---|" * len(_columns(point)))
    for objective in result["objectives"]:
        cells = [_cell(point, kind, objective["name"]) for kind in _columns(point)]
        lines.append(
            f"| {objective['name']} | {objective['metric']} ({objective['direction']}) | {' | '.join(cells)} |"
        )
    measured = "Measured on held-out items that the search did not see; intervals at 90 %."
    predicted = "Predicted by the run's surrogates; this very mix has not been measured. Intervals at 90 %."
    lines += [
        "",
        measured if "measured" in point else predicted,
        "",
        f"Architecture: `{config['architecture']['build']}` with `{config['architecture']['options']}`. "
        f"Run: `{result['run_id']}`.",
        "",
    ]
    return "\n".join(lines)


def _columns(point: Mapping[str, Any]) -> list[str]:
    return [kind for kind in ("measured", "predicted") if kind in point]


def _cell(point: Mapping[str, Any], kind: str, name: str) -> str:
    ends = ("low", "high") if kind == "measured" else ("predicted_low", "predicted_high")
    low, high = (point[end][name] for end in ends)
    return f"{point[kind][name]:.4f} [{low:.4f}, {high:.4f}]"
