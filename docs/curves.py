"""Draw what each method finds for the items it spends: `python docs/curves.py` draws every result that is there.

A line is the median over seeds, a bar their spread. Methods are told apart by place and mark, not by colour alone.
"""

import json
import math
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "benchmarks" / "results"
IMAGES = DOCS / "images"

STYLES = {
    "adaptive": ("#0072B2", "circle"),
    "bayesian": ("#CC79A7", "diamond"),
    "bayesian-paper": ("#882255", "cross"),
    "map": ("#009E73", "square"),
    "map-paper": ("#E69F00", "triangle"),
    "direct": ("#D55E00", "diamond"),
    "nsga2": ("#56B4E9", "cross"),
    "random": ("#777777", "circle"),
}
"""Colours that colour-blind readers can tell apart, and marks."""

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 40, 52


def drawn(raw: dict[str, Any]) -> str:
    """Return the figure of one result as SVG."""
    summary = raw["summary"]
    units = sorted({entry["units"] for entry in summary})
    ceiling = math.ceil(10 * max(entry["greatest"] for entry in summary)) / 10
    logs = [math.log(units[0] * 0.85), math.log(units[-1] * 1.15)]

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(value) - logs[0]) / (logs[1] - logs[0])

    def y(value: float) -> float:
        return float(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / ceiling)

    candidates = raw["references"]["search"]["candidates"]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>Hypervolume by search evaluations, {escape(raw["study"])}</title>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{escape(raw["study"])}: held-out hypervolume relative to a direct '
        f"search of {candidates} candidates</text>",
    ]
    for step in range(0, int(10 * ceiling) + 1, 2):
        height = y(step / 10)
        strong = step == 10
        style = 'stroke="#333333" stroke-dasharray="5 4"' if strong else 'stroke="#dddddd"'
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" '
            f"{style}/>"
            f'<text x="{LEFT - 8}" y="{height + 4:.1f}" text-anchor="end">{step / 10:.1f}</text>'
        )
    for unit in units:
        parts.append(f'<text x="{x(unit):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{unit}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">search budget, in '
        "evaluations of every objective on all its search items (logarithmic)</text>"
    )
    labels: list[tuple[float, str, str]] = []
    methods = list(dict.fromkeys(entry["method"] for entry in summary))
    for place, method in enumerate(methods):
        colour, mark = STYLES.get(method, ("#000000", "square"))
        shift = 1.0 + 0.012 * (place - len(methods) / 2)  # so that bars at the same budget stand side by side
        own = sorted((entry for entry in summary if entry["method"] == method), key=lambda entry: entry["units"])
        points = [(x(entry["units"] * shift), y(entry["median"])) for entry in own]
        if len(points) > 1:
            path = " ".join(f"{left:.1f},{height:.1f}" for left, height in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for entry, (left, height) in zip(own, points, strict=True):
            parts.append(
                f'<line x1="{left:.1f}" x2="{left:.1f}" y1="{y(entry["least"]):.1f}" y2="{y(entry["greatest"]):.1f}" '
                f'stroke="{colour}" stroke-width="1.5"/>{_mark(mark, left, height, colour)}'
            )
        labels.append((points[-1][1], method, colour))
    for height, method, colour in _apart(labels):
        parts.append(f'<text x="{WIDTH - RIGHT + 12}" y="{height + 4:.1f}" fill="{colour}">{escape(method)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _apart(labels: list[tuple[float, str, str]], gap: float = 15.0) -> list[tuple[float, str, str]]:
    """Move labels down until none lies on another, then all of them up to where there is room."""
    placed: list[tuple[float, str, str]] = []
    for height, method, colour in sorted(labels):
        at = max(height, placed[-1][0] + gap) if placed else height
        placed.append((at, method, colour))
    over = max(0.0, placed[-1][0] - (HEIGHT - BOTTOM))
    return [(height - over, method, colour) for height, method, colour in placed]


def _mark(kind: str, left: float, height: float, colour: str) -> str:
    r = 4.5
    if kind == "circle":
        return f'<circle cx="{left:.1f}" cy="{height:.1f}" r="{r}" fill="{colour}"/>'
    shapes = {
        "square": [(-r, -r), (r, -r), (r, r), (-r, r)],
        "diamond": [(0, -r - 1), (r + 1, 0), (0, r + 1), (-r - 1, 0)],
        "triangle": [(0, -r - 1), (r + 1, r), (-r - 1, r)],
    }
    if kind == "cross":
        return (
            f'<path d="M{left - r:.1f},{height - r:.1f} l{2 * r},{2 * r} m0,{-2 * r} l{-2 * r},{2 * r}" '
            f'stroke="{colour}" stroke-width="2.5"/>'
        )
    corners = " ".join(f"{left + dx:.1f},{height + dy:.1f}" for dx, dy in shapes[kind])
    return f'<polygon points="{corners}" fill="{colour}"/>'


def figures() -> dict[Path, str]:
    """Return every figure by the file it belongs in."""
    return {
        IMAGES / f"{path.stem}.svg": drawn(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(RESULTS.glob("sample-efficiency-*.json"))
    }


if __name__ == "__main__":
    for file, content in figures().items():
        file.write_text(content, encoding="utf-8")
        print(file)
