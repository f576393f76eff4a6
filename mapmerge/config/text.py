"""The text of a study: YAML from anybody, as plain values that JSON can hold, with the line of every key."""

import math
from collections.abc import Iterator
from typing import Any

import yaml

from mapmerge.errors import ConfigError

KeyPath = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, where PyYAML was built with it

_DEEPEST = 100
_LONGEST = 3000
"""Characters of one key or value: a path may be long, and a whole number of so many can still be written down."""


def parse(text: str, *, source: str) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Parse YAML into plain values and the line of every key.

    Aliases are refused: a study has no use for them, and nested ones can grow without bound. So are tags, and values
    that are no JSON, since a run freezes its study as JSON.

    Raises:
        ConfigError: it is not such YAML; says where.

    >>> parse("seed: 1\\nbudget: {front: 5}", source="s.yaml")[1][("budget", "front")]
    'line 2'
    """
    values, lines = _parse(text, source)
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: expected a mapping of keys such as `name:`, `base:`, `experts:`")
    return values, lines


def parse_value(text: str, *, source: str) -> Any:
    """Parse YAML that may be a single value, such as `60` or `[a, b]`.

    Raises:
        ConfigError: as `parse`.

    >>> parse_value("[0.3, 1]", source="--set design.mass")
    [0.3, 1]
    """
    return _parse(text, source)[0]


def _parse(text: str, source: str) -> tuple[Any, dict[KeyPath, str]]:
    lines: dict[KeyPath, str] = {}
    try:
        # Events come one by one, so that what must not be built is seen before anything is.
        _refuse_what_grows(yaml.parse(text, Loader=_Loader), source)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, lines
            _collect_lines(node, (), lines, source)
            values = loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, ArithmeticError) as error:  # numbers have errors of their own
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    _require_json(values, (), lines, source)
    return values, lines


def _refuse_what_grows(events: Iterator[yaml.Event], source: str) -> None:
    depth = 0
    event: Any
    for event in events:
        where = f"{source}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{where}: YAML aliases (*{str(event.anchor)[:40]}) are not allowed in a study")
        if getattr(event, "tag", None) is not None:
            raise ConfigError(f"{where}: YAML tags ({event.tag[:40]}) are not allowed in a study")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > _LONGEST:
            raise ConfigError(f"{where}: a value has {len(event.value)} characters, more than {_LONGEST}")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ConfigError(f"{where}: nested too deeply for a study file")


def _collect_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, str], source: str) -> None:
    lines[path] = f"line {node.start_mark.line + 1}"
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _collect_lines(child, (*path, index), lines, source)
    elif isinstance(node, yaml.MappingNode):
        for key_node, child in node.value:
            line = f"line {key_node.start_mark.line + 1}"
            if key_node.tag != "tag:yaml.org,2002:str":
                raise ConfigError(
                    f"{source}, {line}: expected text as a key; write numbers, dates and the like in quotes"
                )
            key = (*path, key_node.value)
            if key in lines:
                raise ConfigError(f"{source}, {line}: key {key_node.value!r} is there twice, first at {lines[key]}")
            _collect_lines(child, key, lines, source)
            lines[key] = line


def _require_json(value: Any, path: KeyPath, lines: dict[KeyPath, str], source: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _require_json(inner, (*path, key), lines, source)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _require_json(inner, (*path, index), lines, source)
    elif not _is_json(value):
        where = ": ".join([f"{source}, {lines.get(path, 'line 1')}", *([".".join(map(str, path))] if path else [])])
        raise ConfigError(f"{where}: expected text, a finite number of at most 64 bits, true, false or null")


def _is_json(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return value is None or (isinstance(value, float) and math.isfinite(value))
