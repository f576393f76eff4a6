"""The pages as a reader uses them in a real browser: mouse, keyboard, a narrow screen, a screen reader's rules."""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mapmerge.fronts.bootstrap import bootstrap_interval
from mapmerge.report.items import ObjectiveItems, Rival, contrast, delivered
from mapmerge.report.page import render
from tests.report.test_runs_page import HOSTILE, entry, front, page

sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a chromium binary"),
]


class Reader:
    """A browser page that notes what it asks the network for, and what it complains of."""

    def __init__(self, tab: Any, folder: Path) -> None:
        self.tab, self._folder = tab, folder
        self.asked: list[str] = []
        self.complaints: list[str] = []
        tab.on("request", lambda request: self.asked.append(request.url))
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, text: str, *, width: int = 1280, scheme: str = "light") -> None:
        path = self._folder / "page.html"
        path.write_text(text, encoding="utf-8")
        self.tab.set_viewport_size({"width": width, "height": 900})
        self.tab.emulate_media(color_scheme=scheme)
        self.tab.goto(path.as_uri())

    def is_quiet(self) -> bool:
        return not self.complaints and all(url.startswith(("file:", "data:")) for url in self.asked)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def reader(browser: Any, tmp_path: Path) -> Iterator[Reader]:
    tab = browser.new_page()
    yield (found := Reader(tab, tmp_path))
    tab.close()
    assert found.is_quiet(), (found.complaints, found.asked)


def runs_page(m: int = 2) -> str:
    return page(
        entry("newest", front=front(m, shift=0.05)),
        entry("second", front=front(m)),
        entry("third", front=front(m, unit="v")),
        entry("four", front=front(m + 1)),
        entry("gone", front=front(m) | {"redrawn": None}),
        entry("half", "stopped"),
        entry("odd", "damaged"),
    )


@pytest.fixture(scope="module")
def report(make_result: Callable[..., dict[str, Any]]) -> str:
    result = make_result(3, lowered=True)
    rng = np.random.default_rng(0)
    items = {}
    for objective in result["objectives"]:
        other, *mine = (rng.random((1 + len(delivered(result)), 400)) < 0.7).astype(np.float32)
        keys = tuple(f"{place:064x}" for place in range(len(mine)))
        items[objective["name"]] = ObjectiveItems(
            Rival("cars", 0.7), keys, tuple(contrast(each, other) for each in mine)
        )
    return render(result, items)


def status(reader: Reader) -> str:
    return str(reader.tab.locator("#compare-status").text_content())


def test_two_ticked_runs_are_compared_as_the_command_line_would(reader: Reader) -> None:
    reader.open(runs_page())
    assert reader.tab.locator("#compared").is_hidden()
    reader.tab.get_by_label("Compare newest").check()
    assert status(reader) == "newest is ticked; tick another one."
    reader.tab.get_by_label("Compare second").check()
    one, other = front(shift=0.05), front()
    draws = np.subtract(one["redrawn"], other["redrawn"])
    theirs = bootstrap_interval(one["value"] - other["value"], draws, level=0.9)
    words = f"Hypervolume +{theirs.value:.3f}, 90% interval [{theirs.low:.3f}, {theirs.high:.3f}]"
    assert status(reader) == f"newest against second: better. {words}, on the same redrawn items."
    assert reader.tab.locator("#figure-compare .mark-front").count() == len(one["points"])
    assert reader.tab.locator("#figure-compare .mark-expert").count() == len(other["points"])
    assert reader.tab.locator("#compare-table tbody tr").count() == 2
    assert reader.tab.locator("#compare-table a").first.get_attribute("href") == "runs/newest/report.html"


def test_a_third_tick_takes_the_place_of_the_first(reader: Reader) -> None:
    reader.open(runs_page())
    for name in ("newest", "second", "third"):
        reader.tab.get_by_label(f"Compare {name}").check()
    assert not reader.tab.get_by_label("Compare newest").is_checked()
    assert "different units" in status(reader)
    assert reader.tab.locator("#figure-compare .mark").count() == 40
    reader.tab.get_by_label("Compare third").uncheck()
    assert status(reader) == "second is ticked; tick another one."
    assert reader.tab.locator("#compared").is_hidden()


@pytest.mark.parametrize(
    ("name", "words", "drawn"),
    [("four", "different objectives", False), ("gone", "The ledger no longer has every evaluation of gone", True)],
)
def test_what_cannot_be_compared_says_why(reader: Reader, name: str, words: str, drawn: bool) -> None:
    reader.open(runs_page())
    reader.tab.get_by_label("Compare second").check()
    reader.tab.get_by_label(f"Compare {name}").check()
    assert words in status(reader)
    assert reader.tab.locator("#compare-figure").is_visible() is drawn


def test_equal_fronts_differ_by_nothing_beyond_the_noise(reader: Reader) -> None:
    reader.open(page(entry("a"), entry("b")))
    for name in "ab":
        reader.tab.get_by_label(f"Compare {name}").check()
    assert "no difference beyond the noise. Hypervolume 0.000, 90% interval [0.000, 0.000]" in status(reader)


def test_more_objectives_are_lines(reader: Reader) -> None:
    reader.open(runs_page(4))
    for name in ("newest", "second"):
        reader.tab.get_by_label(f"Compare {name}").check()
    assert reader.tab.locator("#figure-compare .strand").count() == 40
    assert reader.tab.locator("#figure-compare .axis").count() > 4


def test_the_keyboard_alone_ticks_sorts_and_follows(reader: Reader) -> None:
    reader.open(runs_page())
    reader.tab.keyboard.press("Tab")
    assert reader.tab.evaluate("document.activeElement.className") == "skip"
    seen = []
    for _ in range(40):
        reader.tab.keyboard.press("Tab")
        label = reader.tab.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent")
        assert float(reader.tab.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")) >= 2
        seen.append(label)
        if label == "Hypervolume":
            reader.tab.keyboard.press("Enter")
        if label in ("Compare newest", "Compare second"):
            reader.tab.keyboard.press("Space")
        if label == "Compare gone":
            break
    assert "newest against second: better" in status(reader)
    assert reader.tab.locator("th[aria-sort=descending]").text_content() == "Hypervolume"
    assert {"Every run of the store", "newest", "Study"} < set(seen)


def test_headings_sort_with_what_is_missing_at_the_end(reader: Reader) -> None:
    listed = [entry("low", hypervolume=0.2), entry("none", "stopped"), entry("high", hypervolume=0.9), entry("mid")]
    reader.open(page(*listed))
    button = reader.tab.locator("#all-runs thead button", has_text="Hypervolume")
    for expected in (["high", "mid", "low", "none"], ["low", "mid", "high", "none"]):
        button.click()
        assert reader.tab.locator("#all-runs tbody th").all_text_contents() == expected


def test_hostile_names_do_nothing(reader: Reader) -> None:
    whole = front()
    whole["objectives"][1]["name"] = HOSTILE
    hostile = [entry(f"{HOSTILE}{at}", study=HOSTILE, uri=HOSTILE, front=whole) for at in range(2)]
    reader.open(page(*hostile, entry("c", "damaged", why=HOSTILE)))
    for tick in reader.tab.locator(".choose").all():
        tick.check()
    assert reader.tab.locator("#compared").is_visible()
    assert reader.tab.locator("img").count() == 0


def test_an_empty_store_draws_without_a_complaint(reader: Reader) -> None:
    reader.open(page())
    assert reader.tab.locator("h1").text_content() == "0 runs"


def test_a_link_opens_the_items_of_the_picked_point(reader: Reader, report: str) -> None:
    reader.open(report)
    name = str(reader.tab.locator("#picked h4").text_content()).split()[0]
    link = reader.tab.get_by_role("link", name=f"Evaluations and items of {name}")
    link.click()
    opened = reader.tab.locator("details[open]")
    sync_api.expect(opened).to_have_count(1)  # the page hears of a new address a moment later
    assert str(opened.locator("summary").first.text_content()).startswith(name)
    reader.tab.wait_for_function("document.activeElement.tagName === 'SUMMARY'")
    opened.locator("details > summary").click()
    assert opened.first.locator(".keys dt").count() == 3
    opened.first.locator("> summary").click()
    link.click()  # the same link again opens it again
    sync_api.expect(reader.tab.locator("details.drill[open]")).to_have_count(1)


def test_the_keyboard_opens_the_items_of_a_point(reader: Reader, report: str) -> None:
    reader.open(report)
    reader.tab.locator("#items-k1 > summary").focus()
    reader.tab.keyboard.press("Enter")
    assert reader.tab.locator("#items-k1 table").is_visible()
    reader.tab.keyboard.press("Tab")
    assert "item by item" in reader.tab.evaluate("document.activeElement.ariaLabel")


def opened(reader: Reader, text: str, **how: Any) -> None:
    """Open a page and everything in it that can be opened."""
    reader.open(text, **how)
    reader.tab.evaluate("document.querySelectorAll('details').forEach((each, at) => { each.open = at < 8; })")
    for name in ("newest", "second"):
        for tick in reader.tab.get_by_label(f"Compare {name}").all():
            tick.check()


@pytest.mark.parametrize("which", ["runs", "report"])
def test_a_narrow_screen_does_not_scroll_sideways(reader: Reader, report: str, which: str) -> None:
    opened(reader, report if which == "report" else runs_page(4), width=360)
    assert reader.tab.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("which", ["runs", "report"])
def test_axe_finds_nothing(reader: Reader, report: str, which: str, width: int, scheme: str) -> None:
    opened(reader, report if which == "report" else runs_page(), width=width, scheme=scheme)
    found = axe.Axe().run(reader.tab).response["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found] == []


@pytest.mark.parametrize("which", ["runs", "report"])
def test_headings_are_in_order(report: str, which: str) -> None:
    text = report if which == "report" else runs_page()
    levels = [int(level) for level in re.findall(r"<h([1-6])\b", text.split("<script")[0])]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
