"""What a real browser makes of the page; runs where one is installed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mapmerge.report.page import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium binary"),
]


def drawn(result: dict[str, Any], folder: Path) -> tuple[str, str]:
    """Return the document after the scripts ran, and what the browser wrote to its console."""
    page = folder / "report.html"
    page.write_text(render(result), encoding="utf-8")
    flags = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
    finished = subprocess.run(
        [
            str(CHROMIUM),
            *flags.split(),
            "--enable-logging=stderr",
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1280,3000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return finished.stdout, "\n".join(line for line in finished.stderr.splitlines() if "CONSOLE" in line)


def inside(document: str, name: str) -> str:
    found = re.search(rf'id="{name}".*?</svg>', document, re.S)
    assert found, f"nothing was drawn in {name}"
    return found.group(0)


@pytest.mark.parametrize(("m", "marks"), [(2, 1), (3, 1), (4, 4), (8, 8)])
def test_scripts_draw_every_front_point(
    make_result: Callable[..., dict[str, Any]], tmp_path: Path, m: int, marks: int
) -> None:
    result = make_result(m, lowered=True)
    document, console = drawn(result, tmp_path)
    assert console == ""
    assert inside(document, "figure-front").count('class="mark mark-front"') == len(result["front"]) * marks
    if m > 2:
        pairs = m * (m - 1) // 2
        assert inside(document, "figure-pairs").count('class="mark mark-front"') == len(result["front"]) * pairs
    assert inside(document, "figure-history").count("mark-round") == len(result["history"])
    left_out = sum(len(fit["loo"]) for fit in result["surrogates"].values())
    assert inside(document, "figure-surrogates").count("mark-left-out") == left_out
    assert document.count('type="range"') == m
    assert re.search(rf"mapmerge export {re.escape(result['run_uri'])} --point p\d+ --out merged-p\d+", document)


def test_what_the_picked_point_cannot_be_told_apart_from_is_named_and_outlined(
    make_result: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    result = make_result(2)
    ids = [point["id"] for point in result["front"]]
    for point in result["front"]:
        point["indistinguishable_from"] = [*sorted({*ids} - {point["id"]})[:9], "uniform"]
    document, console = drawn(result, tmp_path)
    assert console == ""
    assert re.search(r"cannot be told apart from (p\d+, ){5}p\d+ and 4 more, outlined", document)
    outlined = re.findall(r'class="point kind-(\w+) alike"', inside(document, "figure-front"))
    assert sorted(outlined) == ["front"] * 9 + ["uniform"]


def test_bare_result_with_hostile_names_draws_without_a_complaint(
    make_result: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    result = make_result(2)
    bare = {
        **result,
        "run_uri": "it's; rm -rf <b>",
        "study": "</script><script>document.title = 'broken'</script>",
        "front": result["front"][:1],
        "dominated": [],
        "baselines": {},
        "comparisons": [],
        "history": [],
        "surrogates": {},
    }
    document, console = drawn(bare, tmp_path)
    assert console == ""
    assert inside(document, "figure-front").count('class="mark mark-front"') == 1
    assert "mapmerge export 'it'\\''s; rm -rf &lt;b&gt;' --point" in document
    assert "<title>broken</title>" not in document
