"""Read a study file: strict YAML, and errors that say the line, the key and what was probably meant."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from mapmerge.config.model import StudyConfig
from mapmerge.errors import ConfigError, MissingFileError, did_you_mean

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
"""A study is a page of text; what is larger is not one."""


def read_study(path: Path, overrides: Iterable[str] = ()) -> StudyConfig:
    """Read a study file and apply overrides such as `budget.evaluations=60`.

    Args:
        path: the YAML file.
        overrides: `dotted.key=value`, the value in YAML; list entries are addressed by their index.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is not YAML, has a key twice, an unknown key, or a value that does not fit.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no such study file")
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path}: {path.stat().st_size} bytes is too large for a study file (at most {MAX_BYTES})")
    try:
        text = path.read_text(encoding="utf-8")
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


def parse(text: str, *, source: str) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Parse YAML into plain values and the line of every key.

    Aliases are refused: a study has no use for them, and nested ones can grow without bound.

    >>> parse("seed: 1\\nbudget: {front: 5}", source="s.yaml")[1][("budget", "front")]
    'line 2'
    """
    lines: dict[KeyPath, str] = {}
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigError(f"{source}: YAML aliases (*{event.anchor}) are not allowed in a study")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{source}: expected a mapping of keys such as `name:`, `base:`, `experts:`")
        _collect_lines(node, (), lines, source)
        values = yaml.safe_load(text)
    except RecursionError:
        raise ConfigError(f"{source}: nested too deeply for a study file") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    return values, lines


def _collect_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, str], source: str) -> None:
    lines[path] = f"line {node.start_mark.line + 1}"
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _collect_lines(child, (*path, index), lines, source)
    elif isinstance(node, yaml.MappingNode):
        for key_node, child in node.value:
            key = (*path, str(key_node.value))
            line = f"line {key_node.start_mark.line + 1}"
            if key in lines:
                raise ConfigError(f"{source}, {line}: key {key_node.value!r} is there twice, first at {lines[key]}")
            _collect_lines(child, key, lines, source)
            lines[key] = line


def _override(values: dict[str, Any], override: str) -> KeyPath:
    """Set one `dotted.key=value` in place and return the key's path."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise ConfigError(f"--set {override}: expected KEY=VALUE, such as budget.evaluations=60")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override}: the value is not valid YAML") from None
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
        problems = [_problem(dict(entry), lines) for entry in error.errors(include_url=False)]
    header = f"{source}: {len(problems)} problem{'s' if len(problems) > 1 else ''}"
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
