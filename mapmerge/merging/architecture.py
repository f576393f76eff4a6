"""The code of a model: checkpoints carry only its values."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch

from mapmerge.errors import ConfigError


def build_model(spec: str, options: Mapping[str, Any]) -> torch.nn.Module:
    """Call the function that makes the model.

    This runs code that the study names, as importing it would. The values it fills the model with do not matter: they
    are replaced by the checkpoint's.

    Args:
        spec: `package.module:function`, importable in the environment that measures.
        options: keyword arguments of the function.

    Raises:
        ConfigError: says what failed: the spelling, the import, the function, the call, or what it returned.

    >>> build_model("torch.nn:Linear", {"in_features": 2, "out_features": 1})
    Linear(in_features=2, out_features=1, bias=True)
    """
    module_name, colon, function_name = spec.partition(":")
    if not (colon and module_name and function_name) or module_name.startswith("."):
        raise ConfigError(f"architecture: expected package.module:function, came {spec!r}")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the module does at import
        raise ConfigError(
            f"architecture: {module_name!r} cannot be imported ({type(error).__name__}: {error}); is it installed here?"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise ConfigError(f"architecture: {module_name!r} has no function {function_name!r}")
    try:
        model = function(**options)
    except Exception as error:
        raise ConfigError(
            f"architecture: {spec}(**{dict(options)!r}) failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, torch.nn.Module):
        raise ConfigError(f"architecture: {spec} returned a {type(model).__name__}, expected a torch.nn.Module")
    return model
