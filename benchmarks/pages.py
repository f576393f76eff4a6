"""What the pages weigh, how fast a browser opens them, and what axe finds in them.

    python -m benchmarks.pages --objectives 2,4,8,16,32 --points 50,100 --out FILE.json

For each number of objectives a synthetic family (that of `benchmarks.scale`, one expert an objective, with item sets of
their usual size) is searched at random and as many points are delivered as asked for; few objectives have fewer points
that nothing dominates. All runs are of one store. Their reports and the page of all runs are what `mapmerge report` and
`mapmerge index` write. Chromium opens each of them in a wide and in a narrow window, light and dark, and axe-core looks
for what people who cannot see, or not well, would miss. Points have parts that are alike; the first are unfolded.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from benchmarks.machine import write
from benchmarks.scale import write_family

ITEMS = 2000
"""Items of a set, as in the families that `mapmerge zoo` trains."""

WIDTHS = (1280, 360)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
IMPACTS = ("critical", "serious", "moderate", "minor")
OPENINGS = 5

UNFOLDED = 24
"""Parts of a page that axe sees open, two of them for each point."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objectives", default="2,4,8,16,32", help="comma-separated (default %(default)s)")
    parser.add_argument("--points", default="50,100", help="delivered; comma-separated (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("there is no chromium here; on Debian `make debian` installs it")
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for m in map(int, options.objectives.split(",")):
            study = write_family(folder / f"linear-{m}", m, items=ITEMS)
            for points in map(int, options.points.split(",")):
                run = f"m{m}-points{points}"
                budget = ("--set", "method=random", "--set", f"budget.front={points}", "--set", f"name={run}")
                _say(folder, "run", str(study), "--output", str(folder / "out"), "--run-id", run, *budget)
                page = folder / f"{run}.html"
                _say(folder, "report", str(folder / "out" / "runs" / run), "--out", str(page))
                about = {"page": "report", "objectives": m, "most_points": points}
                results.append(about | look_at(browser, page))
                print(results[-1], flush=True)
                write(options.out, "pages", results, items=ITEMS, chromium=browser.version)
        page = folder / "index.html"
        _say(folder, "index", str(folder / "out"), "--out", str(page))
        results.append({"page": "runs", "runs": len(results)} | look_at(browser, page))
        print(results[-1], flush=True)
        write(options.out, "pages", results, items=ITEMS, chromium=browser.version)
        browser.close()


def look_at(browser: Browser, page: Path) -> dict[str, Any]:
    """Return what a page weighs, how long a browser takes until all is drawn, and what axe says of it.

    `axe` counts, for each impact that axe knows, the findings of all windows; `complaints` are what the browser itself
    wrote to its console. `delivered` counts the points that have a part of their own in a report.
    """
    text = page.read_bytes()
    opened_ms = []
    for _ in range(OPENINGS):
        tab = browser.new_page(viewport={"width": WIDTHS[0], "height": 900})
        tab.goto(page.as_uri())
        opened_ms.append(tab.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart"))
        tab.close()
    impacts = Counter[str]()
    complaints: list[str] = []
    findings: list[dict[str, Any]] = []
    delivered = 0
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(page.as_uri())
        tab.evaluate(
            f"[...document.querySelectorAll('details')].slice(0, {UNFOLDED}).forEach(each => {{ each.open = true }})"
        )
        delivered = tab.locator("details.drill").count()
        for found in Axe().run(tab).response["violations"]:
            impacts[found["impact"]] += len(found["nodes"])
            findings.append({"rule": found["id"], "width": width, "scheme": scheme, "nodes": len(found["nodes"])})
        tab.close()
    return {
        "delivered": delivered,
        "bytes": len(text),
        "compressed_bytes": len(zlib.compress(text)),
        "opened_ms": statistics.median(opened_ms),
        "axe": {impact: impacts[impact] for impact in IMPACTS},
        "findings": findings,
        "complaints": complaints,
    }


def _say(folder: Path, *words: str) -> None:
    own = {
        "PREFECT_API_URL": "",  # a server of its own, in a database of its own
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # it has to make a database first
        "MAPMERGE_CACHE": str(folder / "cache"),
    }
    said = subprocess.run(
        [sys.executable, "-m", "flows.cli", *words], env={**os.environ, **own}, capture_output=True, text=True
    )
    if said.returncode:
        raise SystemExit(f"mapmerge {words[0]} failed:\n{said.stderr[-2000:]}")


if __name__ == "__main__":
    main()
