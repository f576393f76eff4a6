"""Hypervolume over time, a small chart for each study, and fronts as thumbnails: pictures of the page of all runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from mapmerge.report.formats import number
from mapmerge.report.scales import Scale

STUDIES = 24
"""Studies that get a chart, those with the newest runs."""

_WIDE, _HIGH = 320, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 308, 12, 142
_THUMB_WIDE, _THUMB_HIGH = 90, 48
_LEAST, _MOST = -0.05, 1.15
"""Ends of a thumbnail's axes, in normalised units; what lies beyond is drawn on the edge."""


def timelines(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return a figure for each study that has complete runs, the one with the newest run first.

    Args:
        runs: as `overview` gives them, the newest first.
    """
    studies: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["state"] == "complete" and run["hypervolume"] is not None:
            studies.setdefault(run["study"] or "", []).append(run)
    if not studies:
        return '<p class="none">No run is complete yet.</p>'
    charts = "".join(_chart(study, found) for study, found in list(studies.items())[:STUDIES])
    more = len(studies) - STUDIES
    left_out = f'<p class="quiet small">{more} more studies, with older runs, have no chart.</p>' if more > 0 else ""
    return f'<div class="charts">{charts}</div>{left_out}'


def thumbnail(front: Mapping[str, Any]) -> str:
    """Return a small picture of a front in normalised units: two objectives as points, more as lines."""
    low, high = front["ends"]
    rows = [
        [min(max((score - a) / (b - a), _LEAST), _MOST) for score, a, b in zip(point, low, high, strict=True)]
        for point in front["points"]
    ]
    across = Scale(_LEAST, _MOST, 3.0, _THUMB_WIDE - 3.0)
    up = Scale(_LEAST, _MOST, _THUMB_HIGH - 3.0, 3.0)
    if len(low) == 2:
        box = f"M{across.at(0):.0f} {up.at(1):.0f}H{across.at(1):.0f}V{up.at(0):.0f}"
        marks = "".join(f"M{across.at(x):.3g} {up.at(y):.3g}h0" for x, y in rows)
        body = f'<path class="ideal" d="{box}"/><path class="dots" d="{marks}"/>'
    else:
        step = (_THUMB_WIDE - 6) / max(len(low) - 1, 1)
        lines = "".join(_strand([(3 + step * place, up.at(score)) for place, score in enumerate(row)]) for row in rows)
        body = f'<path class="ideal" d="M3 {up.at(1):.0f}H{_THUMB_WIDE - 3}"/><path class="lines" d="{lines}"/>'
    return (
        f'<svg class="thumb" width="{_THUMB_WIDE}" height="{_THUMB_HIGH}" viewBox="0 0 {_THUMB_WIDE} {_THUMB_HIGH}" '
        f'aria-hidden="true">{body}</svg>'
    )


def _strand(spots: Sequence[tuple[float, float]]) -> str:
    # A single objective is a short level line.
    ends = spots if len(spots) > 1 else [*spots, (_THUMB_WIDE - 3, spots[0][1])]
    return "M" + "L".join(f"{x:.3g} {y:.3g}" for x, y in ends)


def _chart(study: str, runs: Sequence[Mapping[str, Any]]) -> str:
    times = [datetime.fromisoformat(run["created"]).timestamp() for run in runs]
    first, last = min(times), max(times)
    room = (last - first) * 0.06 or 1.0
    across = Scale(first - room, last + room, _LEFT, _RIGHT)
    ends = [(run["front"] or {}).get(end) for run in runs for end in ("low", "high")]
    values = [run["hypervolume"] for run in runs] + [end for end in ends if end is not None]
    up = Scale.around(values, worse=_BOTTOM, better=_TOP, maximize=True)
    unit = next((run["front"]["unit"] for run in runs if "unit" in (run["front"] or {})), None)
    parts = [
        f'<path class="grid" d="M{_LEFT} {up.at(value):.1f}H{_RIGHT}"/>'
        f'<text class="tick" x="{_LEFT - 6}" y="{up.at(value) + 4:.1f}" text-anchor="end">{text}</text>'
        for value, text in up.ticks(4)
    ]
    parts += [_mark(run, across.at(time), up, unit) for run, time in zip(runs, times, strict=True)]
    begin, end = (_when(run["created"]) for run in (runs[-1], runs[0]))
    parts.append(f'<text class="tick" x="{_LEFT}" y="{_HIGH - 6}">{begin}</text>')
    if len(runs) > 1:
        parts.append(f'<text class="tick" x="{_RIGHT}" y="{_HIGH - 6}" text-anchor="end">{end}</text>')
    best = max(runs, key=lambda run: run["hypervolume"])
    said = f"{len(runs)} complete run{'' if len(runs) == 1 else 's'}, the largest {number(best['hypervolume'])}"
    label = escape(f"Hypervolume over time of study {study}: {said}, of run {best['run_id']}.")
    return (
        f"<figure><h3>{escape(study)}</h3>"
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDE} {_HIGH}">{"".join(parts)}</svg>'
        f'<figcaption class="small">{escape(said)}</figcaption></figure>'
    )


def _mark(run: Mapping[str, Any], x: float, up: Scale, unit: str | None) -> str:
    front, y = run["front"] or {}, up.at(run["hypervolume"])
    style = "mark-front" if unit is not None and front.get("unit") == unit else "mark-dominated"
    bar = (
        f'<path class="bars" d="M{x:.1f} {up.at(front["low"]):.1f}V{up.at(front["high"]):.1f}"/>'
        if "low" in front
        else ""
    )
    words = escape(
        f"{run['run_id']}: {number(run['hypervolume'])}, {run['method'] or 'method unknown'}, {_when(run['created'])}"
    )
    return f'<g>{bar}<circle class="mark {style}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/><title>{words}</title></g>'


def _when(time: str) -> str:
    return escape(time[:16].replace("T", " "))
