"""A front in a few lines of text, and as a table with a picture: what a notebook shows of it."""

from collections.abc import Mapping
from html import escape
from typing import Any

from mapmerge.report.figures import data_uri, front_svg
from mapmerge.report.formats import number, objective_decimals, plural
from mapmerge.report.points import spread
from mapmerge.report.tables import Cell, Column, table

_LINES, _ROWS = 6, 10
"""Points that the text and the table list."""

_COLUMNS, _NAME, _SAID = 4, 24, 240
"""Objectives of a line, characters of a name in it, and of the verdict."""


def front_text(result: Mapping[str, Any]) -> str:
    """Say a front in at most ten lines, without control characters.

    Args:
        result: a result object of schema `mapmerge/result/1`.
    """
    front, objectives = result["front"], [objective["name"] for objective in result["objectives"]]
    listed, digits = spread(front, _LINES), objective_decimals(result, front)
    more = "  …" if len(objectives) > _COLUMNS else ""
    study, volume = short(result["study"], 64), number(result["hypervolume"]["value"])
    lines = [f"Front of {study}: {_counts(result)}, hypervolume {volume}"]
    for point in listed:
        scores = [f"{short(name, _NAME)} {number(point['measured'][name], digits[name])}" for name in objectives]
        lines.append(f"  {short(point['id'], _NAME)}  {'  '.join(scores[:_COLUMNS])}{more}")
    if len(front) > len(listed):
        lines.append(f"  … {len(front) - len(listed)} more")
    return "\n".join([*lines, short(result["verdict"], _SAID), f"run {short(result['run_uri'], _SAID)}"])


def front_html(result: Mapping[str, Any]) -> str:
    """Return a front as HTML that holds no script and no style but its own: a table, the verdict and a picture.

    Everything that comes from the result is escaped, and the picture is an image of its own.

    Args:
        result: a result object of schema `mapmerge/result/1`.
    """
    front, objectives = result["front"], [objective["name"] for objective in result["objectives"]]
    listed, digits = spread(front, _ROWS), objective_decimals(result, front)
    columns = [
        Column("point"),
        *(Column(f"c {name}", numeric=True) for name in result["experts"]),
        *(Column(name, numeric=True) for name in objectives),
    ]
    rows = [
        [
            Cell(point["id"]),
            *(Cell(number(point["coefficients"][name], 2)) for name in result["experts"]),
            *(_score(point, name, digits[name]) for name in objectives),
        ]
        for point in listed
    ]
    left_out = f", {len(listed)} of them here" if len(listed) < len(front) else ""
    return (
        f"<div><p><b>{escape(result['study'])}</b>: {escape(_counts(result))}{left_out}</p>\n"
        f"{table('Coefficients, and scores on held-out items', columns, rows)}\n"
        f"<p>{escape(result['verdict'])}</p>\n"
        f'<img alt="the measured front and its baselines" style="max-width:100%" '
        f'src="{data_uri(front_svg(result))}"></div>'
    )


def short(text: str, most: int) -> str:
    """Return a text in one line of at most so many characters, all of them printable.

    >>> short("a\\x1b[31m\\nlong name", 8)
    'a [31m …'
    """
    plain = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _counts(result: Mapping[str, Any]) -> str:
    experts, objectives = plural(len(result["experts"]), "expert"), plural(len(result["objectives"]), "objective")
    return f"{plural(len(result['front']), 'merged model')} of {experts} over {objectives}"


def _score(point: Mapping[str, Any], name: str, digits: int) -> Cell:
    half = (point["high"][name] - point["low"][name]) / 2
    return Cell(number(point["measured"][name], digits), f"±{number(half, digits)}", numeric=True)
