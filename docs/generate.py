"""Write the pages that are made from code: `python docs/generate.py`. A test checks that they are up to date."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flows.cli.parser import build_parser
from mapmerge.config import StudyConfig

DOCS = Path(__file__).parent


def configuration() -> str:
    """Return the reference of the study file."""
    lines = [
        "# Configuration",
        "",
        "A study is one YAML file. Unknown keys, keys given twice and values that do not fit are refused with their",
        "line. Relative paths start at the folder of the study file. Any value can be replaced on the command line by",
        "`--set section.key=value`; entries of lists by their index, such as",
        "`--set objectives.0.options.metric=accuracy`.",
        "",
        "*Made from the code by `python docs/generate.py`.*",
        "",
        *_section("", StudyConfig),
    ]
    return "\n".join(lines) + "\n"


def _section(name: str, model: type[BaseModel]) -> Iterator[str]:
    if name:
        yield f"## `{name}`"
        yield ""
        doc = (model.__doc__ or "").strip().splitlines()[0]
        yield doc
        yield ""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    nested = []
    for key, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            nested.append((f"{name}.{key}" if name else key, inner))
        yield f"| `{key}` | {_type(field.annotation)} | {_default(field)} | {field.description} |"
    yield ""
    for key, inner in nested:
        yield from _section(key, inner)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is UnionType:
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if _model_in(annotation) is not None:
        return "list of sections" if origin is list else "section"
    if origin is tuple:
        return f"[{', '.join(_type(argument) for argument in arguments)}]"
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return "mapping"
    if arguments:
        return _type(arguments[0])
    return {"str": "text", "int": "whole number", "float": "number"}.get(annotation.__name__, annotation.__name__)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or _model_in(field.annotation) is not None:
        return ""
    return (
        ""
        if field.default is None
        else f"`{list(field.default) if isinstance(field.default, tuple) else field.default}`"
    )


def commands() -> str:
    """Return the reference of the command line."""
    os.environ["COLUMNS"] = "100"  # argparse fits help to the terminal
    parser = build_parser()
    lines = ["# Command line", "", "*Made from the code by `python docs/generate.py`.*", ""]
    for words, command in _commands(parser, "mapmerge"):
        lines += [f"## `{words}`", "", "```", command.format_help().strip(), "```", ""]
    return "\n".join(lines)


def _commands(parser: Any, words: str) -> Iterator[tuple[str, Any]]:
    yield words, parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, command in action.choices.items():
                yield from _commands(command, f"{words} {name}")


PAGES = {"configuration.md": configuration, "commands.md": commands}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
    sys.stdout.write(f"wrote {', '.join(PAGES)}\n")
