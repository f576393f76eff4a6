"""Build a whole family on this machine: base, experts, heads, item sets, data card and a study to start from."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from mapmerge.errors import ConfigError
from mapmerge.evaluators.item_sets import write_item_set
from mapmerge.records import JsonObject
from mapmerge.threads import one_thread
from mapmerge.zoo.card import data_card, study_file
from mapmerge.zoo.objectives import OBJECTIVES
from mapmerge.zoo.recipe import Recipe
from mapmerge.zoo.sources import SOURCES, Images
from mapmerge.zoo.splits import split_objectives
from mapmerge.zoo.training import train_base, train_experts
from mapmerge.zoo.vision import WIDTH


def build_vision(
    out: Path,
    *,
    experts: int,
    seed: int = 0,
    recipe: Recipe | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Train a family of vision models and write it as a folder with a study that is ready to run.

    The folder appears under its name only once it is whole. The same arguments give the same bytes on the same kind of
    processor. Data is downloaded on first use (`mapmerge.zoo.packages`); experts train side by side on all cores.

    Args:
        out: where to; must not exist, or be an empty folder.
        experts: k, from 2 to 32: the family has the first k of `mapmerge.zoo.objectives.OBJECTIVES`.
        seed: of splits, noise, weights and batches, and of the study.
        recipe: sizes and effort, `Recipe()` by default.
        progress: called with a line of words before each step.

    Returns:
        The folder.

    Raises:
        ConfigError: `out` is taken, or there is no family of so many experts.
        MissingFileError: the images cannot be downloaded.
        IntegrityError: the images are not those that were pinned.
    """
    out, recipe, say = Path(out), recipe or Recipe(), progress or _silent
    if not 2 <= experts <= len(OBJECTIVES):
        raise ConfigError(f"experts: expected 2 to {len(OBJECTIVES)} experts for a vision family, came {experts}")
    if seed < 0:
        raise ConfigError(f"seed: expected a whole number from 0, came {seed}")
    _require_free(out)
    objectives = OBJECTIVES[:experts]
    names = [objective.name for objective in objectives]

    say("reading the images")
    sources = {name: SOURCES[name]() for name in dict.fromkeys(objective.source for objective in objectives)}
    parts = split_objectives(objectives, sources, recipe=recipe, seed=seed)

    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.parent / f".{out.name}-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
        config = {"family": "vision", "width": WIDTH, "seed": seed}
        with one_thread():
            say(f"training the base on {experts} objectives")
            base, heads = train_base(
                [parts[name].base for name in names], [one.classes for one in objectives], recipe=recipe, seed=seed
            )
            _write_model(folder / "base", base, config)
            trained = train_experts(
                base, heads, [parts[name].train for name in names], names=names, recipe=recipe, seed=seed
            )
            say(f"training {experts} experts")
            for number, (name, model) in enumerate(zip(names, trained, strict=True), start=1):
                _write_model(folder / "experts" / name, model, {**config, "expert": name})
                say(f"expert {name} is ready ({number} of {experts})")
        (folder / "heads").mkdir()
        for name, head in zip(names, heads, strict=True):
            save_file(head.state_dict(), folder / "heads" / f"{name}.safetensors")
            _write_items(folder / "items" / name / "search.safetensors", parts[name].search)
            _write_items(folder / "items" / name / "held_out.safetensors", parts[name].held_out)
        (folder / "README.md").write_text(data_card(objectives, parts, seed=seed), encoding="utf-8")
        (folder / "study.yaml").write_text(study_file(objectives, seed=seed), encoding="utf-8")
        _require_free(out)  # training took a while: somebody else may have been faster
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return out


def _silent(words: str) -> None:
    """Say nothing."""


def _require_free(out: Path) -> None:
    """Raise when something is at `out` that a build would overwrite."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists():
        raise ConfigError(f"out: {out} is taken; name a folder that does not exist or is empty, or remove it first")


def _write_model(folder: Path, model: nn.Module, config: JsonObject) -> None:
    """Write weights and a small description as a checkpoint folder."""
    folder.mkdir(parents=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_items(path: Path, images: Images) -> None:
    """Write images as uint8 [i, 1, 28, 28] with their labels."""
    write_item_set(path, torch.from_numpy(images.pixels).unsqueeze(1), torch.from_numpy(images.labels))
