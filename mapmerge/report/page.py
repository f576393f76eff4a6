"""The one-file HTML report: words, tables, figures and a picker that work offline."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from mapmerge.report.formats import objective_decimals
from mapmerge.report.points import BASELINE_NAMES, KIND_WORDS, points_of
from mapmerge.report.sections import BASELINE_WORDS, sections_of

SCRIPTS = (
    "draw.js",
    "axes.js",
    "marks.js",
    "figure.js",
    "scatter.js",
    "pairs.js",
    "parallel.js",
    "space.js",
    "diagnostics.js",
    "picker.js",
    "sorting.js",
    "page.js",
)
"""The page's own scripts, in the order in which they build on each other."""


def render(result: Mapping[str, Any]) -> str:
    """Render the result of a run as one self-contained HTML page.

    The page loads nothing: style, scripts and data are inside, and its content security policy allows only these by
    their SHA-256 hashes. Names and messages are data, never markup: tables escape them, and the embedded JSON
    writes `<`, `>` and `&` as escapes so that no name can end the block it sits in.

    Args:
        result: a result object of schema `mapmerge/result/1`, as `mapmerge run --json` prints it.

    Returns:
        The whole document; write it with UTF-8.
    """
    style = _read("page.css")
    script = '(() => {\n"use strict";\n' + "\n".join(_read(name) for name in SCRIPTS) + "\n})();\n"
    policy = (
        "default-src 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(_read("page.html")).substitute(
        policy=escape(policy, quote=True).replace("&#x27;", "'"),
        title=escape(f"{result['study']}: the front of merged models"),
        style=style,
        script=script,
        data=embed(_page_data(result)),
        **sections_of(result),
    )


def embed(value: Any) -> str:
    """Return JSON that can stand inside a `script` element whatever the strings in it say.

    Numbers that are not finite become null, since JSON has no word for them.

    >>> embed({"name": "</script>", "r2": float("nan")})
    '{"name":"\\\\u003c/script\\\\u003e","r2":null}'
    """
    text = json.dumps(_finite(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _page_data(result: Mapping[str, Any]) -> dict[str, Any]:
    points = points_of(result)
    return {
        "run": result["run_uri"],
        "experts": result["experts"],
        "objectives": result["objectives"],
        "decimals": objective_decimals(result, [p.record for p in points]),
        "points": [point.to_json() for point in points],
        "words": KIND_WORDS,
        "baselines": BASELINE_WORDS,
        "spoken": BASELINE_NAMES,
        "hypervolume": result["hypervolume"],
        "history": result.get("history", []),
        "comparisons": result.get("comparisons", []),
        "surrogates": result.get("surrogates", {}),
    }


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(name: str) -> str:
    return files("mapmerge.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
