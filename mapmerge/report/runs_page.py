"""The page of all runs of a store: a table, hypervolume over time, and any two fronts laid over each other."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from mapmerge.report.document import document
from mapmerge.report.formats import ABSENT, count, interval, number, plural
from mapmerge.report.tables import Cell, Column, table
from mapmerge.report.timelines import thumbnail, timelines

SCRIPTS = ("draw.js", "axes.js", "marks.js", "sorting.js", "overlay.js", "runs.js")

_STYLES = {"complete": "good", "damaged": "bad"}


def render_runs(found: Mapping[str, Any], *, written: str, folder: str | None) -> str:
    """Render all runs of a store as one self-contained HTML page.

    Args:
        found: what `overview` gives.
        written: when, in words.
        folder: the way from the page to the root of the store as a relative URL, empty or ending in `/`; None where
            there is none, then nothing is linked.

    Returns:
        The whole document; write it with UTF-8.
    """
    runs = found["runs"]
    return document(
        "runs.html",
        title=f"Runs of {found['store']}",
        styles=["page.css", "runs.css"],
        scripts=SCRIPTS,
        data=[_to_compare(run, folder) for run in runs if _is_shown(run)],
        parts={
            "headline": _headline(found, written),
            "bounds": escape(_bounds(found, folder)),
            "timelines": timelines(runs),
            "runs": _table(runs, folder),
        },
    )


def _is_shown(run: Mapping[str, Any]) -> bool:
    return run["front"] is not None and "points" in run["front"]


def _to_compare(run: Mapping[str, Any], folder: str | None) -> dict[str, Any]:
    named = {key: run[key] for key in ("run_id", "uri", "study", "method", "paid")}
    return {**named, "href": _href(run, folder), **{key: run["front"][key] for key in run["front"] if key != "ends"}}


def _href(run: Mapping[str, Any], folder: str | None) -> str | None:
    if folder is None or run["state"] != "complete":
        return None
    return f"{folder}runs/{quote(run['run_id'])}/report.html"


def _headline(found: Mapping[str, Any], written: str) -> str:
    runs = found["runs"]
    states = [run["state"] for run in runs]
    facts = [
        ("Complete", count(states.count("complete"))),
        ("Running", count(states.count("running"))),
        ("Stopped", count(states.count("stopped"))),
        ("Damaged", count(states.count("damaged"))),
        ("Paid evaluations", count(sum(run["paid"] or 0 for run in runs))),
    ]
    cards = "".join(f"<div><dt>{name}</dt><dd><strong>{value}</strong></dd></div>" for name, value in facts)
    return (
        f'<p class="eyebrow">Store <b>{escape(found["store"])}</b> · written {escape(written)}</p>\n'
        f"<h1>{escape(plural(len(runs), 'run'))}</h1>\n"
        f'<dl class="facts">{cards}</dl>'
    )


def _bounds(found: Mapping[str, Any], folder: str | None) -> str:
    complete = sum(run["state"] == "complete" for run in found["runs"])
    words = "The newest run comes first; the headings sort."
    if complete > found["newest"]:
        words += (
            f" Of {count(complete)} complete runs the newest {count(found['newest'])} were looked into: only these "
            "have a thumbnail and an interval, and can be compared."
        )
    if folder is None:
        words += " Nothing is linked, for this page does not lie where the store is."
    return words


def _table(runs: Sequence[Mapping[str, Any]], folder: str | None) -> str:
    if not runs:
        return '<p class="none">The store has no run yet.</p>'
    columns = [
        Column("Run"),
        Column("Compare", sortable=False),
        Column("State"),
        Column("Hypervolume", numeric=True),
        Column("Front", sortable=False),
        Column("Evaluations", "paid", numeric=True),
        Column("Points", "on the front", numeric=True),
        Column("Study"),
        Column("Method"),
        Column("Began", "UTC"),
    ]
    places = {run["run_id"]: place for place, run in enumerate(filter(_is_shown, runs))}
    rows = [_row(run, places.get(run["run_id"]), folder) for run in runs]
    return table("Every run of the store", columns, rows, sortable=True, name="all-runs")


def _row(run: Mapping[str, Any], place: int | None, folder: str | None) -> list[Cell]:
    name, href, front = escape(run["run_id"]), _href(run, folder), run["front"] or {}
    link = name if href is None else f'<a href="{escape(href)}">{name}</a>'
    tick = f'<input type="checkbox" class="choose" value="{place}" aria-label="Compare {name}">'
    ends = interval(front["low"], front["high"]) if "low" in front else ""
    why = run["why"] or front.get("why") or ""
    return [
        Cell("", order=run["run_id"], markup=link),
        Cell("", markup="" if place is None else tick),
        Cell(run["state"], why, order=run["state"], style=f"{_STYLES.get(run['state'], '')} why".strip()),
        Cell(number(run["hypervolume"]), ends, order=_order(run["hypervolume"]), numeric=True),
        Cell("", markup="" if place is None else thumbnail(front)),
        _number(run["paid"]),
        _number(run["front_points"]),
        Cell(run["study"] or ABSENT),
        Cell(run["method"] or ABSENT),
        Cell(run["created"][:16].replace("T", " "), order=run["created"], style="time"),
    ]


def _number(value: int | None) -> Cell:
    return Cell(count(value), order=_order(value), numeric=True)


def _order(value: float | None) -> float | str:
    return "" if value is None else value
