"""One HTML document that loads nothing: style, scripts and data are inside, and no name can become markup."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any


def document(
    template: str, *, title: str, styles: Sequence[str], scripts: Sequence[str], data: Any, parts: Mapping[str, str]
) -> str:
    """Put the body of a page into the frame of all pages.

    The content security policy of the page allows only the style and the script that are inside, by their SHA-256
    hashes. The embedded JSON writes `<`, `>` and `&` as escapes, so that no name can end the block it sits in.

    Args:
        template: file name of the body, with a place for each of `parts`.
        title: of the browser's window; escaped here.
        styles: file names of style sheets, in their order.
        scripts: file names of scripts, in the order in which they build on each other.
        data: what the scripts work on, as JSON.
        parts: HTML by its place in the template, escaped already.

    Returns:
        The whole document; write it with UTF-8.
    """
    style = "".join(_read(name) for name in styles)
    script = '(() => {\n"use strict";\n' + "\n".join(_read(name) for name in scripts) + "\n})();\n"
    policy = (
        "default-src 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(_read("document.html")).substitute(
        policy=escape(policy, quote=True).replace("&#x27;", "'"),
        title=escape(title),
        style=style,
        script=script,
        body=Template(_read(template)).substitute(parts),
        data=embed(data),
    )


def embed(value: Any) -> str:
    """Return JSON that can stand inside a `script` element whatever the strings in it say.

    Numbers that are not finite become null, since JSON has no word for them. Others keep seven significant digits, more
    than any picture or reader can tell apart, and half the bytes of all of them.

    >>> embed({"name": "</script>", "r2": float("nan"), "score": 2 / 3})
    '{"name":"\\\\u003c/script\\\\u003e","r2":null,"score":0.6666667}'
    """
    text = json.dumps(_short(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _short(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value


def _read(name: str) -> str:
    return files("mapmerge.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
