"""Read a study file: strict YAML, and errors that say the line, the key and what was probably meant."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mapmerge.config.model import StudyConfig
from mapmerge.config.text import KeyPath, parse, parse_value
from mapmerge.errors import ConfigError, MissingFileError, did_you_mean

MAX_BYTES = 100_000
"""A study is a page of text, of many experts a few; what is larger is not one."""

_MOST_PROBLEMS = 20


def read_study(path: Path, overrides: Iterable[str] = ()) -> StudyConfig:
    """Read a study file and apply overrides such as `budget.evaluations=60`.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value`, the value in YAML; list entries are addressed by their index.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is not YAML, has a key twice, an unknown key, or a value that does not fit.
    """
    try:
        if not path.is_file():
            raise MissingFileError(f"{path}: no such study file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if isinstance(error, MissingFileError):
            raise
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: too large for a study file (at most {MAX_BYTES} bytes)")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from None
    values, lines = parse(text, source=str(path))
    for override in overrides:
        key = _override(values, override)
        lines[key] = f"--set {override}"
    return validate(values, lines, source=str(path))


def override_config(config: StudyConfig, overrides: Iterable[str]) -> StudyConfig:
    """Return a study with overrides such as `compute.actors=2` applied.

    Raises:
        ConfigError: a key is unknown, or a value does not fit.
    """
    values = config.model_dump(mode="json")
    lines: dict[KeyPath, str] = {_override(values, override): f"--set {override}" for override in overrides}
    return validate(values, lines, source="the run's study")


def _override(values: dict[str, Any], override: str) -> KeyPath:
    """Set one `dotted.key=value` in place and return the key's path."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: expected KEY=VALUE, such as budget.evaluations=60")
    value = parse_value(text, source=f"--set {override}")
    *parents, last = path = tuple(int(part) if part.isdigit() else part for part in dotted.split("."))
    place: Any = values
    for part in parents:
        if isinstance(place, dict):
            place = place.setdefault(part, {})
        elif isinstance(place, list) and isinstance(part, int) and part < len(place):
            place = place[part]
        else:
            raise ConfigError(f"--set {override}: there is no {part!r} to set anything in")
    fits = isinstance(place, dict) or (isinstance(place, list) and isinstance(last, int) and last < len(place))
    if not fits:
        raise ConfigError(f"--set {override}: {'.'.join(map(str, parents))!r} cannot hold {last!r}")
    place[last] = value
    return path


def validate(values: Mapping[str, Any], lines: Mapping[KeyPath, str], *, source: str) -> StudyConfig:
    """Check plain values against the model; the error lists everything that is wrong, each with its line.

    Raises:
        ConfigError: with one line a problem.
    """
    try:
        return StudyConfig.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
    problems = [_problem(dict(entry), lines) for entry in found[:_MOST_PROBLEMS]]
    if len(found) > _MOST_PROBLEMS:
        problems.append(f"and {len(found) - _MOST_PROBLEMS} more")
    header = f"{source}: {len(found)} problem{'s' if len(found) > 1 else ''}"
    raise ConfigError("\n".join([header, *(f"  {problem}" for problem in problems)]))


def _problem(entry: dict[str, Any], lines: Mapping[KeyPath, str]) -> str:
    path: KeyPath = tuple(entry["loc"])
    while path and path not in lines:  # a missing key has no line of its own: its section has
        path = path[:-1]
    where = lines.get(path, "the file")
    key = ".".join(map(str, entry["loc"]))
    if entry["type"] == "extra_forbidden":
        known = _known_keys(tuple(entry["loc"][:-1]))
        return f"{where}: unknown key {key!r}; {did_you_mean(str(entry['loc'][-1]), known)}"
    if entry["type"] == "missing":
        return f"{where}: {key!r} is required"
    message = str(entry["msg"]).removeprefix("Value error, ")
    if not entry["loc"]:  # about several sections at once: it names them itself
        return message
    came = "" if entry["type"] == "value_error" else f", got {_short(entry['input'])}"
    return f"{where}: {key}: {message}{came}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(path: KeyPath) -> list[str]:
    """Return the keys that the section at a path may have."""
    model: Any = StudyConfig
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = arguments[0] if arguments else annotation
    return list(model.model_fields)
