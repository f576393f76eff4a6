"""Options of an evaluator: parsed strictly, with messages that say what to change."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mapmerge.errors import ConfigError, did_you_mean

_Options = TypeVar("_Options", bound=BaseModel)


def parse_options(model: type[_Options], options: Mapping[str, Any], *, evaluator: str) -> _Options:
    """Check options against a pydantic model, which should be strict and forbid what it does not know.

    Args:
        model: the options class of an evaluator.
        options: as the study gives them.
        evaluator: its name, for the messages.

    Raises:
        ConfigError: names every option that is unknown (with the nearest known one) or wrong.

    >>> class Options(BaseModel, extra="forbid", strict=True):
    ...     batch_size: int = 128
    >>> parse_options(Options, {"batch_size": 64}, evaluator="mine")
    Options(batch_size=64)
    >>> parse_options(Options, {"batchsize": 64}, evaluator="mine")
    Traceback (most recent call last):
    mapmerge.errors.ConfigError: evaluator 'mine': unknown option 'batchsize', did you mean 'batch_size'?
    """
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        problems = [_problem(item["loc"], item["msg"], item["type"], item["input"], model) for item in error.errors()]
    raise ConfigError(f"evaluator {evaluator!r}: " + "; ".join(problems))


def _problem(where: tuple[int | str, ...], message: str, kind: str, given: object, model: type[BaseModel]) -> str:
    name = ".".join(map(str, where))
    if kind == "extra_forbidden":
        return f"unknown option {name!r}, {did_you_mean(name, model.model_fields)}"
    return f"option {name!r}: {message[0].lower()}{message[1:]}, came {given!r}"
