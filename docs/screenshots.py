"""Take the pictures of the pages that the documentation shows, in Chromium.

    python -m docs.screenshots OUTPUT RUN_ID OTHER_ID

OUTPUT is what the runs' output was. The report is that of the run; on the page of all runs it is compared with the
other. In the pictures the output is called `s3://bucket/out`, wherever it is.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from mapmerge.ledger.store import Store

IMAGES = Path(__file__).parent / "images"
_WIDTH, _HEIGHT = 1280, 900


def main() -> None:
    """Write the pages of a store, open them, and take their pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", help="URI of a store of runs")
    parser.add_argument("run", help="id of a complete run of it")
    parser.add_argument("other", help="id of another one, of the same study")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("there is no chromium here; on Debian `make debian` installs it")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.goto(_page(folder, "report", f"{options.output}/runs/{options.run}"))
        _rename(page, options.output)
        page.locator("#front").screenshot(path=IMAGES / "report.png")
        page.goto(_page(folder, "index", options.output))
        for run in (options.run, options.other):
            page.get_by_label(f"Compare {run}").check()
        _rename(page, options.output)
        page.locator("#compare").screenshot(path=IMAGES / "compare.png")
        browser.close()


def _page(folder: str, command: str, about: str) -> str:
    """Have `mapmerge` write a page, and return its address."""
    out = Path(folder, f"{command}.html")
    words = [command, about, "--out", str(out)]
    subprocess.run([sys.executable, "-m", "flows.cli", *words], check=True, stdout=subprocess.DEVNULL)
    return out.as_uri()


def _rename(page: Page, output: str) -> None:
    """Call the output by another name in the commands that a page shows."""
    for_each = "([uri, name], code = document.querySelectorAll('code, pre')) => code.forEach("
    page.evaluate(
        f"{for_each}each => {{ each.textContent = each.textContent.replaceAll(uri, name) }})",
        [Store(output).uri, "s3://bucket/out"],
    )


if __name__ == "__main__":
    main()
