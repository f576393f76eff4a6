"""A family is built whole, the same each time, and never over something else."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from mapmerge.config.model import StudyConfig
from mapmerge.errors import ConfigError, MissingFileError
from mapmerge.evaluators.item_sets import check_disjoint, open_item_set
from mapmerge.zoo import build
from mapmerge.zoo.build import build_vision
from mapmerge.zoo.objectives import OBJECTIVES
from mapmerge.zoo.recipe import Recipe
from mapmerge.zoo.sources import Images, animals, digits, mnist
from mapmerge.zoo.vision import encoder

TINY = Recipe(items=40, train=96, base_share=0.5, base_epochs=2, base_batch=16, expert_epochs=1, expert_batch=32)


@pytest.fixture
def local_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every source give scikit-learn's digits, which need no download."""
    few = digits().take(np.arange(300))
    upside_down = Images(few.pixels[:, ::-1].copy(), few.labels)
    sources = {"mnist": lambda: few, "animals": lambda: upside_down, "digits": lambda: few}
    monkeypatch.setattr(build, "SOURCES", sources)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.usefixtures("local_sources")
def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(tmp_path):
    threads = torch.get_num_threads()
    random_state = torch.random.get_rng_state()
    try:
        one = build_vision(tmp_path / "one", experts=3, seed=7, recipe=TINY)
        torch.set_num_threads(threads + 1)
        two = build_vision(tmp_path / "two", experts=3, seed=7, recipe=TINY)
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert content(one) == content(two)
    assert torch.equal(torch.random.get_rng_state(), random_state)
    other = build_vision(tmp_path / "other", experts=3, seed=8, recipe=TINY)
    assert content(other)["base/model.safetensors"] != content(one)["base/model.safetensors"]


@pytest.mark.usefixtures("local_sources")
def test_a_family_is_complete_and_its_study_is_valid(tmp_path):
    said: list[str] = []
    out = tmp_path / "new" / "family"
    assert build_vision(out, experts=3, recipe=TINY, progress=said.append) == out
    names = [one.name for one in OBJECTIVES[:3]]
    assert [path.name for path in out.parent.iterdir()] == ["family"]
    assert any("animals" in line for line in said)

    study = StudyConfig.model_validate(yaml.safe_load((out / "study.yaml").read_text()))
    assert study.name == "vision-3"
    assert [one.name for one in study.experts] == [one.name for one in study.objectives] == names
    assert (study.method, study.budget.evaluations) == ("adaptive", 10)

    model = encoder()
    model.load_state_dict(load_file(out / study.base / "model.safetensors"))
    assert (out / study.base / "config.json").is_file()
    for expert, objective in zip(study.experts, study.objectives, strict=True):
        model.load_state_dict(load_file(out / expert.checkpoint / "model.safetensors"))
        search, held_out = open_item_set(out / objective.search), open_item_set(out / objective.held_out)
        check_disjoint(search.ids, held_out.ids, objective=objective.name)
        assert search.inputs.dtype == torch.uint8
        assert search.inputs.shape == (40, 1, 28, 28)
        assert not search.warnings
        head = load_file(out / objective.options["head"])
        assert (model(search.inputs.float() / 255) @ head["weight"].T + head["bias"]).shape == (40, 10)

    card = (out / "README.md").read_text()
    assert "1 of 3 objectives are derived (negative)" in card
    assert "MIT" in card
    assert "Yann LeCun" in card


@pytest.mark.parametrize("experts", [-1, 0, 1, 33])
def test_families_of_other_sizes_are_refused(tmp_path, experts):
    with pytest.raises(ConfigError, match=f"expected 2 to 32 experts.*came {experts}"):
        build_vision(tmp_path / "out", experts=experts)
    assert not (tmp_path / "out").exists()


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="seed"):
        build_vision(tmp_path / "out", experts=2, seed=-1)


def test_a_taken_folder_or_file_is_refused_and_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("folder", "file"):
        with pytest.raises(ConfigError, match="is taken"):
            build_vision(tmp_path / name, experts=2)
    assert sorted(content(tmp_path)) == ["file", "folder/mine"]


@pytest.mark.usefixtures("local_sources")
def test_an_empty_folder_is_used(tmp_path):
    (tmp_path / "empty").mkdir()
    assert (build_vision(tmp_path / "empty", experts=2, recipe=TINY) / "study.yaml").is_file()


def test_a_build_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def offline() -> Images:
        raise MissingFileError("offline")

    monkeypatch.setattr(build, "SOURCES", dict.fromkeys(("mnist", "animals", "digits"), offline))
    with pytest.raises(MissingFileError):
        build_vision(tmp_path / "out", experts=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_real_images_are_there_without_duplicates():
    assert len(mnist()) == 5000
    assert len(animals()) == 9716


@pytest.mark.slow
def test_real_experts_win_on_their_own_objective_and_lose_elsewhere(tmp_path):
    names = [one.name for one in OBJECTIVES[:2]]
    out = build_vision(tmp_path / "family", experts=2)

    def accuracy(folder: str, name: str) -> float:
        model = encoder()
        model.load_state_dict(load_file(out / folder / "model.safetensors"))
        head, items = (
            load_file(out / f"heads/{name}.safetensors"),
            load_file(out / f"items/{name}/held_out.safetensors"),
        )
        with torch.inference_mode():
            logits = model(items["inputs"].float() / 255) @ head["weight"].T + head["bias"]
        return float((logits.argmax(1) == items["labels"]).float().mean())

    for own, other in (names, reversed(names)):
        assert accuracy(f"experts/{own}", own) > accuracy("base", own) + 0.04
        assert accuracy(f"experts/{own}", other) < accuracy("base", other) - 0.02
