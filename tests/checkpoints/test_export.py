import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from mapmerge.checkpoints import Checkpoint, export, export_checkpoint, open_checkpoint
from mapmerge.checkpoints import open as opening
from mapmerge.errors import CheckpointError, ConfigError, IntegrityError

Save = Callable[[str, Mapping[str, torch.Tensor]], Checkpoint]

BASE = {
    "w": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
    "half": torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16),
    "mask": torch.tensor([True, False, False]),
    "steps": torch.tensor(9),
}
EXPERT = BASE | {"w": BASE["w"] + 1, "half": BASE["half"] * 2, "steps": torch.tensor(12)}


def test_merges_in_the_dtypes_of_the_base(save: Save, tmp_path: Path) -> None:
    base, expert = save("base", BASE), save("expert", EXPERT)
    out = export_checkpoint(
        tmp_path / "deep" / "merged", base, [expert], np.array([0.5]), card="# Card ∞", config={"c": [0.5]}
    )
    merged = load_file(out / "model.safetensors")
    assert torch.equal(merged["w"], BASE["w"] + 0.5)
    assert torch.equal(merged["half"], BASE["half"] * 1.5)
    assert torch.equal(merged["mask"], BASE["mask"])
    assert torch.equal(merged["steps"], BASE["steps"])
    assert {name: value.dtype for name, value in merged.items()} == {name: v.dtype for name, v in BASE.items()}
    assert (out / "README.md").read_text(encoding="utf-8") == "# Card ∞"
    assert json.loads((out / "merge.json").read_text()) == {"c": [0.5]}
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "merge.json", "model.safetensors"]
    with safe_open(out / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_writes_the_configuration_that_it_is_given(save: Save, tmp_path: Path) -> None:
    experts, settings = [save("expert", EXPERT)], b'{"hidden": 3}'
    out = export_checkpoint(
        tmp_path / "out", save("base", BASE), experts, np.array([0.5]), card="", model_config=settings
    )
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (out / "config.json").read_bytes() == settings


def test_zero_coefficients_give_the_base_bit_for_bit(save: Save, tmp_path: Path) -> None:
    base = save("base", BASE)
    out = export_checkpoint(tmp_path / "out", base, [save("expert", EXPERT)], np.zeros(1), card="")
    assert open_checkpoint(out).fingerprint() == base.fingerprint()


@given(
    coefficients=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    piece=st.integers(1, 50),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16, torch.float64]),
)
@settings(max_examples=20, deadline=None)
def test_equals_naive_arithmetic_whatever_the_size_of_pieces(
    tmp_path_factory: pytest.TempPathFactory, coefficients: list[float], piece: int, dtype: torch.dtype
) -> None:
    folder, rng = tmp_path_factory.mktemp("models"), torch.Generator().manual_seed(piece)
    models = [{"a": torch.randn(5, 9, generator=rng).to(dtype), "b": torch.randn(7, generator=rng)} for _ in range(4)]
    for index, model in enumerate(models):
        save_file(model, folder / f"{index}.safetensors")
    base, *experts = (open_checkpoint(folder / f"{index}.safetensors") for index in range(4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "PIECE", piece)
        merged = load_file(
            export_checkpoint(folder / "out", base, experts, np.array(coefficients), card="") / "model.safetensors"
        )
    for name, theta in models[0].items():
        exact = theta.double() + sum(
            c * (model[name].double() - theta.double()) for c, model in zip(coefficients, models[1:], strict=True)
        )
        # One rounding to the dtype of the base, on top of that of float32 arithmetic.
        step = max(torch.finfo(theta.dtype).eps, torch.finfo(torch.float32).eps * 4)
        torch.testing.assert_close(merged[name].double(), exact, rtol=step, atol=step * 4)


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_refuses_what_is_already_there(kind: str, save: Save, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
        (out / "precious").write_text("keep")
    elif kind == "file":
        out.write_text("keep")
    else:
        out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="already exists"):
        export_checkpoint(out, save("base", BASE), [save("expert", EXPERT)], np.array([0.5]), card="")
    assert kind != "folder" or [path.name for path in out.iterdir()] == ["precious"]


def test_an_empty_folder_is_filled(save: Save, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    out = export_checkpoint(tmp_path / "out", save("base", BASE), [save("e", EXPERT)], np.array([0.5]), card="")
    assert (out / "model.safetensors").is_file()


def nothing_left(tmp_path: Path) -> bool:
    return all(path.suffix == ".safetensors" and path.is_file() for path in tmp_path.iterdir())


def test_an_expert_with_other_tensors(save: Save, tmp_path: Path) -> None:
    wrong = save("wrong", EXPERT | {"w": torch.ones(3)})
    with pytest.raises(CheckpointError, match=r"wrong\.safetensors: 'w': expected shape \[2, 2\]"):
        export_checkpoint(tmp_path / "out", save("base", BASE), [wrong], np.array([0.5]), card="")
    with pytest.raises(CheckpointError, match="at least one expert"):
        export_checkpoint(tmp_path / "out", save("base", BASE), [], np.array([]), card="")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("coefficients", [[0.5, 0.5], [np.nan], []])
def test_wrong_coefficients(coefficients: list[float], save: Save, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="coefficients"):
        export_checkpoint(tmp_path / "out", save("base", BASE), [save("e", EXPERT)], np.array(coefficients), card="")
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("value", "dtype", "c"),
    [(torch.nan, torch.float32, 0.5), (60000.0, torch.float16, 2.0), (torch.inf, torch.bfloat16, 1.0)],
)
def test_values_that_are_not_finite_are_not_delivered(
    value: float, dtype: torch.dtype, c: float, save: Save, tmp_path: Path
) -> None:
    base = save("base", {"w": torch.zeros(3, dtype=dtype)})
    expert = save("expert", {"w": torch.tensor([0.0, value, 1.0], dtype=dtype)})
    with pytest.raises(CheckpointError, match="'w' has 1 values that are not finite"):
        export_checkpoint(tmp_path / "out", base, [expert], np.array([c]), card="")
    assert nothing_left(tmp_path)


def test_a_config_that_is_no_json(save: Save, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        export_checkpoint(
            tmp_path / "out", save("b", BASE), [save("e", EXPERT)], np.array([0.5]), card="", config={"c": np.nan}
        )
    assert nothing_left(tmp_path)


def test_what_cannot_be_read_back_is_not_delivered(save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_raw", lambda values: b"")  # a disk that swallows what is written
    with pytest.raises(IntegrityError, match="cannot be read back"):
        export_checkpoint(tmp_path / "out", save("base", BASE), [save("e", EXPERT)], np.array([0.5]), card="")
    assert nothing_left(tmp_path)


def test_names_never_become_paths(save: Save, tmp_path: Path) -> None:
    name = "../../escape/\u202e"
    base, expert = save("base", {name: torch.ones(2)}), save("expert", {name: torch.zeros(2)})
    out = export_checkpoint(tmp_path / "out", base, [expert], np.array([0.25]), card="")
    assert torch.equal(open_checkpoint(out).tensor(name), torch.full((2,), 0.75))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.safetensors", "expert.safetensors", "out"]
