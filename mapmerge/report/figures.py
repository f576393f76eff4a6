"""A static picture of the front, for places where no page can be shown."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from mapmerge.report.points import Kind, Point, points_of
from mapmerge.report.scales import Scale

WIDTH = 860
KIND_ORDER: tuple[Kind, ...] = ("random", "dominated", "base", "expert", "uniform", "scalar", "front")
"""From the back of the picture to the front."""

LEGEND: Mapping[Kind, str] = {
    "front": "merged, on the front",
    "dominated": "dominated",
    "base": "base model",
    "expert": "single experts",
    "uniform": "uniform merge",
    "scalar": "best scalar",
    "random": "random search",
}

# Okabe and Ito's colours, told apart by most colour-blind readers; shapes differ as well.
STYLE = """
svg{--ink:#1b1c1e;--quiet:#5b5f66;--grid:#e6e6e1;--paper:#fdfdfb;--front:#0072b2;--expert:#d55e00;--uniform:#009e73;
--scalar:#cc79a7;--random:#e69f00;--dominated:#7d8189;font:12px system-ui,"Segoe UI","Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e9e8e3;--quiet:#a3a7ad;--grid:#2a2e32;--paper:#141618;--front:#56b4e9;
--expert:#f0813a;--uniform:#2bbf93;--scalar:#d98fb8;--dominated:#8f949b}}
.paper{fill:var(--paper)}text{fill:var(--ink)}.title{font-weight:600;font-size:13px}.quiet{fill:var(--quiet)}
.grid{stroke:var(--grid)}.axis{stroke:var(--quiet)}.cell{fill:none;stroke:var(--grid)}
.halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px}
.bar{stroke:var(--front);opacity:.45}.attained{fill:var(--front);opacity:.07}
.staircase{fill:none;stroke:var(--front);opacity:.4}.mark{stroke:var(--paper)}.front{fill:var(--front)}
.base{fill:var(--ink)}.expert{fill:var(--expert)}.uniform{fill:var(--uniform)}.scalar{fill:var(--scalar)}
path.strand[class]{fill:none;stroke-width:1.4}
.random{fill:none;stroke:var(--random);opacity:.7}.dominated{fill:none;stroke:var(--dominated)}
.strand.front{stroke:var(--front);opacity:.45}.strand.expert{stroke:var(--expert);
stroke-dasharray:7 3}
.strand.base{stroke:var(--ink);stroke-dasharray:2 3}.strand.uniform{stroke:var(--uniform);stroke-width:2.2}
.strand.scalar{stroke:var(--scalar);stroke-width:2.2;stroke-dasharray:9 2 2 2}.strand.random{opacity:.15}
.strand.dominated{opacity:.4}
""".strip()


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a notebook shows.

    Args:
        svg: a standalone SVG document.
    """

    svg: str

    def __repr__(self) -> str:
        return f"Picture({len(self.svg)} characters of SVG)"

    def _repr_svg_(self) -> str:
        return self.svg


def front_svg(result: Mapping[str, Any]) -> str:
    """Draw the measured front and its baselines as one standalone SVG picture.

    Two objectives give a scatter with intervals and the dominated area, three give every pair, more give parallel
    coordinates. Better is always up or to the right. The picture follows the reader's light or dark scheme.

    Args:
        result: a result object of schema `mapmerge/result/1`.
    """
    objectives = result["objectives"]
    points = sorted(points_of(result), key=lambda point: KIND_ORDER.index(point.kind))
    if len(objectives) == 2:
        height, body = 560, _scatter(result, points, (90.0, 96.0, WIDTH - 40.0, 490.0), objectives, area=True)
    elif len(objectives) == 3:
        height, body = 380, _pairs(result, points)
    else:
        height, body = 480, _parallel(objectives, points, height=480)
    names = ", ".join(objective["name"] for objective in objectives)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img">'
        f"<title>{escape(_title(result, names))}</title>"
        f"<style>{STYLE}</style>"
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>{_legend(points)}{body}</svg>\n'
    )


def data_uri(svg: str) -> str:
    """Return a picture as an address that holds all of it, for pages that want one.

    >>> data_uri("<svg/>")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _title(result: Mapping[str, Any], names: str) -> str:
    return f"{len(result['front'])} merged models on the measured front over {names}"


def _legend(points: Sequence[Point]) -> str:
    shown = {point.kind for point in points}
    parts, x = [], 34.0
    for kind, words in LEGEND.items():
        if kind in shown:
            parts.append(_mark(kind, x, 30.0) + _text(x + 11, 34.0, words, "quiet"))
            x += 34 + 6.4 * len(words)
    return "".join(parts)


def _scatter(
    result: Mapping[str, Any],
    points: Sequence[Point],
    box: tuple[float, float, float, float],
    pair: Sequence[Mapping[str, Any]],
    *,
    area: bool,
) -> str:
    left, top, right, bottom = box
    across, up = pair[0], pair[1]
    xs, ys = _scale(across, points, left, right), _scale(up, points, bottom, top)
    parts = []
    about = 6 if area else 4
    for value, words in xs.ticks(about):
        parts.append(_line(xs.at(value), top, xs.at(value), bottom, "grid"))
        parts.append(_text(xs.at(value), bottom + 18, words, "quiet", "middle"))
    for value, words in ys.ticks(about):
        parts.append(_line(left, ys.at(value), right, ys.at(value), "grid"))
        parts.append(_text(left - 8, ys.at(value) + 4, words, "quiet", "end"))
    if area:
        parts.append(_attained(result, xs, ys, pair))
    for point in points:
        x, y = (xs.at(point.record["measured"][across["name"]]), ys.at(point.record["measured"][up["name"]]))
        if point.kind == "front":
            low, high = point.record["low"], point.record["high"]
            parts.append(_line(xs.at(low[across["name"]]), y, xs.at(high[across["name"]]), y, "bar"))
            parts.append(_line(x, ys.at(low[up["name"]]), x, ys.at(high[up["name"]]), "bar"))
        parts.append(_mark(point.kind, x, y, 5.0 if area else 4.0))
    room = right - left
    parts.append(_text(left - 44 if area else left - 30, top - 16, f"↑ {_label(up, room)}", "title"))
    parts.append(_text(right, bottom + 42, f"{_label(across, room)} →", "title", "end"))
    return "".join(parts)


def _pairs(result: Mapping[str, Any], points: Sequence[Point]) -> str:
    objectives, side, parts = result["objectives"], 212.0, []
    for place, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        left = 52.0 + place * (side + 66)
        box = (left, 92.0, left + side, 92.0 + side)
        parts.append(f'<rect class="cell" x="{left}" y="92" width="{side}" height="{side}"/>')
        parts.append(_scatter(result, points, box, (objectives[a], objectives[b]), area=False))
    return "".join(parts)


def _parallel(objectives: Sequence[Mapping[str, Any]], points: Sequence[Point], *, height: float) -> str:
    left, right, top, bottom = 60.0, WIDTH - 50.0, 116.0, height - 30
    gap = (right - left) / max(1, len(objectives) - 1)
    scales = [_scale(objective, points, bottom, top) for objective in objectives]
    parts, marks = [], []
    for point in points:
        scores = [point.record["measured"][objective["name"]] for objective in objectives]
        heights = [scale.at(score) for scale, score in zip(scales, scores, strict=True)]
        spots = [(left + place * gap, y) for place, y in enumerate(heights)]
        parts.append(f'<path class="strand {point.kind}" d="{_path(spots)}"/>')
        if point.kind != "random":
            marks += [_mark(point.kind, x, y, 3.6) for x, y in spots]
    for place, (objective, scale) in enumerate(zip(objectives, scales, strict=True)):
        x = left + place * gap
        parts.append(_line(x, top - 6, x, bottom, "axis"))
        parts += [_text(x - 7, scale.at(value) + 4, words, "quiet halo", "end") for value, words in scale.ticks()]
        anchor = "start" if place == 0 else "end" if place == len(objectives) - 1 else "middle"
        shift = {"start": -34, "middle": 0, "end": 30}[anchor]
        better = "lower" if objective["direction"] == "minimize" else "higher"
        lowered = 15 if len(objectives) > 4 and place % 2 else 0
        parts.append(_text(x + shift, 66 + lowered, _shorten(objective["name"], gap * 1.5), "title", anchor))
        parts.append(_text(x + shift, 99, f"↑ {better}" if gap < 118 else f"↑ {better} is better", "quiet", anchor))
    return "".join(parts + marks)


def _attained(result: Mapping[str, Any], xs: Scale, ys: Scale, pair: Sequence[Mapping[str, Any]]) -> str:
    # What the front dominates, down to the reference point: its area is the hypervolume.
    reference = result["hypervolume"]["reference_point"]
    across, up = pair[0]["name"], pair[1]["name"]
    # It lies outside the picture where the unmerged models are alike.
    left, floor = (
        scale.at(min(max(reference[name], scale.low), scale.high)) for name, scale in ((across, xs), (up, ys))
    )
    spots = sorted((xs.at(p["measured"][across]), ys.at(p["measured"][up])) for p in result["front"])
    corners, reached = [], left
    for x, y in spots:
        corners += [(reached, min(y, floor)), (max(reached, x), min(y, floor))]
        reached = max(reached, x)
    region = _path([(left, floor), *corners, (reached, floor)])
    return f'<path class="attained" d="{region}Z"/><path class="staircase" d="{_path(corners)}"/>'


def _scale(objective: Mapping[str, Any], points: Sequence[Point], worse: float, better: float) -> Scale:
    name = objective["name"]
    scores = [point.record["measured"][name] for point in points]
    for point in points:
        if point.kind == "front":
            scores += [point.record["low"][name], point.record["high"][name]]
    return Scale.around(scores, worse=worse, better=better, maximize=objective["direction"] != "minimize")


def _label(objective: Mapping[str, Any], room: float) -> str:
    metric = objective["metric"].replace("_", " ")
    direction = ", lower is better" if objective["direction"] == "minimize" else ""
    full = f"{objective['name']} ({metric}{direction})"
    return full if len(full) * 7.2 <= room else _shorten(objective["name"], room)


def _shorten(text: str, room: float) -> str:
    most = max(3, int(room / 7.4))
    return text if len(text) <= most else text[: most - 1] + "…"


def _mark(kind: Kind, x: float, y: float, s: float = 5.0) -> str:
    if kind == "front":
        return f'<circle class="mark front" cx="{x:.1f}" cy="{y:.1f}" r="{s:.1f}"/>'
    if kind == "random":
        r = s * 0.6
        strokes = _path([(x - r, y - r), (x + r, y + r)]) + _path([(x - r, y + r), (x + r, y - r)])
        return f'<path class="mark random" d="{strokes}"/>'
    outlines: dict[Kind, list[tuple[float, float]]] = {
        "dominated": [(-1, -0.8), (1, -0.8), (0, 1)],
        "base": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "expert": [(0, -1.3), (1.2, 1), (-1.2, 1)],
        "uniform": [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)],
        "scalar": [_star_corner(place) for place in range(10)],
    }
    outline = _path([(x + s * dx, y + s * dy) for dx, dy in outlines[kind]])
    return f'<path class="mark {kind}" d="{outline}Z"/>'


def _star_corner(place: int) -> tuple[float, float]:
    angle, reach = place * math.pi / 5 - math.pi / 2, 0.72 if place % 2 else 1.6
    return reach * math.cos(angle), reach * math.sin(angle)


def _path(spots: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if place else 'M'}{x:.1f} {y:.1f}" for place, (x, y) in enumerate(spots))


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
