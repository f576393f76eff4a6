"""The one-file HTML report: words, tables, figures and a picker that work offline."""

from collections.abc import Mapping
from typing import Any

from mapmerge.report.columns import columns
from mapmerge.report.details import details
from mapmerge.report.document import document
from mapmerge.report.formats import objective_decimals
from mapmerge.report.items import ItemTable
from mapmerge.report.points import BASELINE_NAMES, KIND_WORDS, points_of, spread
from mapmerge.report.sections import BASELINE_WORDS, sections_of

SCRIPTS = (
    "draw.js",
    "columns.js",
    "axes.js",
    "marks.js",
    "figure.js",
    "scatter.js",
    "pairs.js",
    "parallel.js",
    "space.js",
    "diagnostics.js",
    "drill.js",
    "picker.js",
    "sorting.js",
    "listed.js",
    "page.js",
)
"""The page's own scripts, in the order in which they build on each other."""

MOST_LEFT_OUT = 250
"""Left-out predictions in the picture of an objective; hundreds of points already cover each other."""


def render(result: Mapping[str, Any], items: ItemTable | None = None) -> str:
    """Render the result of a run as one self-contained HTML page.

    Args:
        result: a result object of schema `mapmerge/result/1`, as `mapmerge run --json` prints it.
        items: what single items say of its points, as `look_up` gives it; None where only the result is at hand.

    Returns:
        The whole document; write it with UTF-8.
    """
    return document(
        "page.html",
        title=f"{result['study']}: the front of merged models",
        styles=["page.css"],
        scripts=SCRIPTS,
        data=_page_data(result),
        parts={**sections_of(result), "details": details(result, items)},
    )


def _page_data(result: Mapping[str, Any]) -> dict[str, Any]:
    points = points_of(result)
    return {
        "run": result["run_uri"],
        "experts": result["experts"],
        "objectives": result["objectives"],
        "decimals": objective_decimals(result, [p.record for p in points]),
        "points": columns([point.to_json() for point in points]),
        "words": KIND_WORDS,
        "baselines": BASELINE_WORDS,
        "spoken": BASELINE_NAMES,
        "hypervolume": result["hypervolume"],
        "history": columns(result.get("history", [])),
        "comparisons": result.get("comparisons", []),
        "surrogates": {
            name: {**fit, "loo": columns(spread(fit.get("loo", []), MOST_LEFT_OUT))}
            for name, fit in result.get("surrogates", {}).items()
        },
    }
