from pathlib import Path

import pytest
import torch

from mapmerge.errors import ConfigError
from mapmerge.merging import build_model


def test_builds_with_options() -> None:
    model = build_model("torch.nn:Linear", {"in_features": 3, "out_features": 2, "bias": False})
    assert isinstance(model, torch.nn.Linear)
    assert model.weight.shape == (2, 3)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("torch.nn.Linear", {}, r"expected package\.module:function, came 'torch\.nn\.Linear'"),
        (":Linear", {}, "expected package"),
        ("torch.nn:", {}, "expected package"),
        (".nn:Linear", {}, "expected package"),
        ("no_such_package.models:tiny", {}, r"'no_such_package\.models' cannot be imported \(ModuleNotFoundError"),
        ("torch.nn:Lineal", {}, r"'torch\.nn' has no function 'Lineal'"),
        ("math:pi", {}, "'math' has no function 'pi'"),
        ("torch.nn:Linear", {"in_features": 3}, r"failed: TypeError: .*out_features"),
        ("torch.nn:Linear", {"width": 3}, r"failed: TypeError: .*width"),
        ("builtins:dict", {"a": 1}, r"returned a dict, expected a torch\.nn\.Module"),
    ],
)
def test_what_cannot_be_built(spec: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model(spec, options)


def test_a_module_that_fails_at_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_architecture.py").write_text("raise RuntimeError('needs a driver')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"RuntimeError: needs a driver\); is it installed here"):
        build_model("broken_architecture:make", {})
