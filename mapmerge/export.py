"""Write the merged model of one point, with the card that says what it is."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mapmerge.cache import cache_folder
from mapmerge.checkpoints.export import export_checkpoint
from mapmerge.checkpoints.open import WEIGHTS
from mapmerge.config import StudyConfig
from mapmerge.errors import RunError
from mapmerge.files.objects import is_remote
from mapmerge.files.opening import open_checkpoints
from mapmerge.files.study import StudyFiles
from mapmerge.files.upload import require_free, upload_folder
from mapmerge.finished import FinishedRun
from mapmerge.frozen import frozen_study
from mapmerge.shelf import Shelf


def export(run: FinishedRun, point: Mapping[str, Any], out: str | Path) -> str:
    """Merge one point of a run and write it as a checkpoint folder.

    Args:
        run: the run that the point is of.
        point: a point of the front, or what `FinishedRun.pick` answers; its `coefficients` are used.
        out: folder to write, new or empty, as a path or `s3://bucket/folder`. What goes to S3 is first written and
            verified in the cache folder, and is visible there only once it is whole.

    Returns:
        The folder.

    Raises:
        RunError: a checkpoint is no longer the one that was measured.
        ConfigError: `out` holds something already.
        StoreRefusedError: S3 does not let us in.
    """
    remote = is_remote(str(out))
    if remote:
        require_free(str(out))  # before anything is computed
    study = frozen_study(run.folder)
    config, root = StudyConfig.model_validate(study["config"]), Path(study["root"])
    files = StudyFiles(root)
    base, *experts = open_checkpoints(config, files)
    measured = [study["inputs"]["base"], *(study["inputs"]["experts"][expert.name] for expert in config.experts)]
    for checkpoint, fingerprint in zip([base, *experts], measured, strict=True):
        if checkpoint.fingerprint() != fingerprint:
            raise RunError(
                f"{checkpoint.said}: has changed since the run measured it; put the old file back or run again"
            )
    coefficients = np.array([point["coefficients"][expert.name] for expert in config.experts], dtype=np.float64)
    record = {
        "run": run.folder.uri,
        "point": point.get("id"),
        "method": "task_arithmetic",
        "coefficients": {expert.name: point["coefficients"][expert.name] for expert in config.experts},
        "base": study["inputs"]["base"],
        "experts": study["inputs"]["experts"],
        "scores": {key: {name: point[key][name] for name in run.names} for key in _SCORES if key in point},
    }
    settings = files.beside(config.base, "config.json", _MOST_SETTINGS)
    write = partial(
        export_checkpoint,
        base=base,
        experts=experts,
        coefficients=coefficients,
        card=card(run, point),
        config=record,
        model_config=settings,
    )
    if not remote:
        return str(write(out))
    with Shelf(cache_folder()).scratch(sum(entry.stop - entry.start for entry in base.entries.values())) as scratch:
        upload_folder(write(scratch / "model"), str(out), last=WEIGHTS)
    return str(out)


_MOST_SETTINGS = 2**20
"""Bytes of a `config.json`; one is a page of text."""


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
