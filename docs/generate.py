"""Write the pages that are made from code: `python docs/generate.py`. A test checks that they are up to date."""

import argparse
import ast
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

# The default output is part of the help; the pages should not depend on who writes them.
os.environ.pop("MAPMERGE_OUTPUT", None)

import mapmerge
from flows.cli.parser import build_parser
from mapmerge.config import StudyConfig

DOCS = Path(__file__).parent
MADE = "*Made from the code by `python docs/generate.py`.*"


# The study file


def configuration() -> str:
    """Return the reference of the study file."""
    lines = [
        "# Configuration",
        "",
        "A study is one YAML file. Unknown keys, keys given twice and values that do not fit are refused with their",
        "line. Relative paths start at the folder of the study file. Keys without a default in these tables either are",
        "required or have the default that their meaning tells.",
        "",
        "Any value can be replaced on the command line by `--set section.key=value`; entries of lists have numbers",
        "from 0, such as `--set objectives.0.options.metric=accuracy`. The value is YAML:",
        "`--set 'design.mass=[0.3, 2.0]'`.",
        "",
        "The smallest study has `name`, `base`, `architecture`, `experts` and `objectives`; see the",
        "[README](../README.md#your-own-models) for one.",
        "",
        MADE,
        "",
        *_section("", StudyConfig),
    ]
    return "\n".join(lines)


def _section(name: str, model: type[BaseModel], kind: str = "section") -> Iterator[str]:
    title = f"`{name}`" if name else "The file"
    yield f"## {title}"
    yield ""
    words = (model.__doc__ or "").strip().splitlines()[0]
    yield f"A list; each entry: {words[0].lower()}{words[1:]}" if kind == "list" else words
    yield ""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    nested = []
    for key, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            nested.append((key, inner, "list" if get_origin(field.annotation) is list else "section"))
        yield f"| `{key}` | {_type(field.annotation)} | {_default(field)} | {field.description} |"
    yield ""
    for key, inner, its_kind in nested:
        yield from _section(f"{name}.{key}" if name else key, inner, its_kind)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    inner = _model_in(annotation)
    if inner is not None:
        link = f"[section](#{_anchor(annotation)})"
        return f"list of [sections](#{_anchor(annotation)})" if origin is list else link
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (UnionType, Union):
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"[{', '.join(_type(argument) for argument in arguments)}]"
    if annotation == list[Any]:
        return "list"
    if origin is list:
        return f"list of {_type(arguments[0])}s"
    if origin is dict:
        return "mapping"
    if arguments:
        return _type(arguments[0])
    name: str = annotation.__name__
    return {"str": "text", "int": "whole number", "float": "number"}.get(name, name)


def _anchor(annotation: Any) -> str:
    """Return the heading of a section; every section of a study stands under exactly one key."""
    return next(key for key, field in StudyConfig.model_fields.items() if field.annotation == annotation)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory is not None or _model_in(field.annotation) is not None or field.default is None:
        return ""
    plain = list(field.default) if isinstance(field.default, tuple) else field.default
    if isinstance(plain, float):
        return f"`{plain:g}`"
    return f"`{plain}`"


# The command line


def commands() -> str:
    """Return the reference of the command line."""
    parser = build_parser()
    lines = [
        "# Command line",
        "",
        "Results go to stdout, progress and messages to stderr. The text of every message is in",
        "[troubleshooting](troubleshooting.md), the objects that `--json` prints in [result](result.md).",
        "",
        MADE,
        "",
    ]
    for words, command in _commands(parser, "mapmerge"):
        lines += [f"## `{words}`", "", "```", _help(command), "```", ""]
    return "\n".join(lines)


def _help(command: argparse.ArgumentParser) -> str:
    command.formatter_class = _OfOneWidth
    return command.format_help().strip()


class _OfOneWidth(argparse.HelpFormatter):
    """Help that does not depend on the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


def _commands(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from _commands(command, f"{words} {name}")


# The modules


def modules() -> str:
    """Return every module with the first line of its docstring, folder by folder, from the top floor down."""
    lines = [
        "# Modules",
        "",
        "Every module in one line; [architecture](architecture.md) says how they lie.",
        "",
        MADE,
        "",
    ]
    for root in ("flows", "tasks", "mapmerge", "infra"):
        for folder in _folders(DOCS.parent / root):
            place = folder.relative_to(DOCS.parent).as_posix()
            lines += [
                f"## `{place}/`",
                "",
                _first_line(folder / "__init__.py"),
                "",
                "| module | what it is |",
                "|---|---|",
            ]
            paths = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
            lines += [f"| `{path.stem}` | {_first_line(path)} |" for path in paths]
            lines.append("")
    return "\n".join(lines)


def _folders(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.rglob("__init__.py"))


def _first_line(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n\n")[0].replace("\n", " ")


# The public names


def python() -> str:
    """Return the page about Python: what is written by hand, then every public name with its signature and its line."""
    mark = "<!-- From here on made from the code by `python docs/generate.py`. -->"
    written, found, _ = (DOCS / "python.md").read_text(encoding="utf-8").partition(mark)
    if not found:
        raise ValueError(f"docs/python.md: expected the line {mark}")
    lines = [
        f"{written}{mark}",
        "",
        "## Every name",
        "",
        "`help(mapmerge.run)` has the arguments, in a notebook too.",
        "",
    ]
    lines += ["| `mapmerge.` | what it is |", "|---|---|"]
    lines += [_row(name, getattr(mapmerge, name)) for name in mapmerge.__all__]
    for kind in (mapmerge.Front, mapmerge.Point):
        lines += ["", f"| of a `{kind.__name__}` | what it is |", "|---|---|"]
        fields = [(name, _argument(kind, name)) for name in kind.__dataclass_fields__]
        lines += [f"| `{name}` | {words} |" for name, words in fields]
        offered = [name for name in vars(kind) if not name.startswith("_") and name not in kind.__dataclass_fields__]
        lines += [_row(name, vars(kind)[name]) for name in offered]
    return "\n".join([*lines, ""])


def _argument(kind: type, name: str) -> str:
    """Return what the docstring of a class, or of one it inherits from, says of an argument."""
    docs = (inspect.getdoc(each) or "" for each in kind.__mro__)
    found = next(filter(None, (re.search(rf"^    {name}: (.*)$", doc, re.MULTILINE) for doc in docs)))
    return found[1]


def _row(name: str, value: Any) -> str:
    words = inspect.getdoc(value) or ""
    if inspect.isfunction(value):
        plain = inspect.signature(value)
        names = [each.replace(annotation=each.empty) for each in plain.parameters.values() if each.name != "self"]
        name += str(plain.replace(parameters=names, return_annotation=plain.empty))
    return f"| `{name}` | {_sentence(words)} |"


def _sentence(words: str) -> str:
    return " ".join(words.partition("\n\n")[0].split())


PAGES = {"configuration.md": configuration, "commands.md": commands, "modules.md": modules, "python.md": python}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
