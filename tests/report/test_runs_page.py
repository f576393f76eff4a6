"""The page of all runs: what it says, links and embeds, whatever the runs are called."""

import json
import re
from html import escape
from typing import Any

import pytest

from mapmerge.report.runs_page import render_runs
from mapmerge.report.timelines import STUDIES

HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;\u2028"


def front(m: int = 2, *, size: int = 20, unit: str = "u", shift: float = 0.0) -> dict[str, Any]:
    """Return a front over m objectives, as `overview` gives it."""
    names = [f"objective {place}" for place in range(m)]
    points = [[round(0.3 + shift + 0.6 * ((at + place) % size) / size, 6) for place in range(m)] for at in range(size)]
    bounds = {"metric": "accuracy", "direction": "maximize", "lower": 0.0, "upper": 1.0}
    return {
        "objectives": [{"name": name, **bounds} for name in names],
        "points": points,
        "ids": [f"p{at + 1:02d}" for at in range(size)],
        "ends": [[0.1] * m, [0.9] * m],
        "unit": unit,
        "items": "i",
        "seed": 0,
        "value": 0.5 + shift,
        "low": 0.4 + shift,
        "high": 0.6 + shift,
        "level": 0.9,
        "redrawn": [round(0.5 + shift + 0.001 * (at % 100 - 50), 6) for at in range(300)],
    }


def entry(name: str, state: str = "complete", **changes: Any) -> dict[str, Any]:
    """Return a run, as `overview` gives it."""
    whole = state == "complete"
    found = {
        "run_id": name,
        "uri": f"file:///out/runs/{name}",
        "state": state,
        "why": None if whole else f"why {name} is {state}",
        "created": "2026-03-02T09:14:03.000+00:00",
        "study": "digits",
        "method": "map",
        "sealed": "2026-03-02T09:20:15.000+00:00" if whole else None,
        "evaluations": 60 if whole else None,
        "paid": 48 if whole else None,
        "front_points": 20 if whole else None,
        "hypervolume": 0.5 if whole else None,
        "front": front() if whole else None,
    }
    return found | changes


def page(*runs: dict[str, Any], newest: int = 100, folder: str | None = "") -> str:
    found = {"store": "file:///out", "newest": newest, "runs": list(runs)}
    return render_runs(found, written="2026-03-02 10:00 UTC", folder=folder)


def data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found.group(1))


def test_an_empty_store_says_so() -> None:
    text = page()
    assert "<h1>0 runs</h1>" in text
    assert "The store has no run yet." in text
    assert "No run is complete yet." in text
    assert data(text) == []


def test_one_run_is_listed_linked_charted_and_can_be_ticked() -> None:
    text = page(entry("first"))
    assert "<h1>1 run</h1>" in text
    assert '<a href="runs/first/report.html">first</a>' in text
    assert '<input type="checkbox" class="choose" value="0" aria-label="Compare first">' in text
    assert "0.500 <small>[0.400, 0.600]</small>" in text
    assert text.count('<svg class="thumb"') == 1
    assert "1 complete run, the largest 0.500" in text
    (embedded,) = data(text)
    assert (embedded["run_id"], embedded["href"], len(embedded["redrawn"])) == ("first", "runs/first/report.html", 300)


def test_links_lead_from_where_the_page_lies_or_nowhere() -> None:
    assert '<a href="../my%20out/runs/first/report.html">' in page(entry("first"), folder="../my%20out/")
    text = page(entry("first"), folder=None)
    assert "report.html" not in text
    assert "Nothing is linked" in text


def test_unfinished_and_damaged_runs_are_listed_with_why_and_not_linked() -> None:
    text = page(entry("a", "running"), entry("b", "stopped"), entry("c", "damaged"), entry("d"))
    for name, state in (("a", "running"), ("b", "stopped"), ("c", "damaged")):
        assert f"<small>why {name} is {state}</small>" in text
    assert re.findall(r"<dt>(\w+)</dt><dd><strong>(\d+)", text)[:4] == [
        ("Complete", "1"),
        ("Running", "1"),
        ("Stopped", "1"),
        ("Damaged", "1"),
    ]
    assert re.findall(r'href="([^"]*report\.html)"', text) == ["runs/d/report.html"]
    assert text.count('<input type="checkbox"') == 1


def test_a_complete_run_whose_result_cannot_be_read_says_why() -> None:
    text = page(entry("odd", front={"why": "result.json: front: too short"}))
    assert "result.json: front: too short" in text
    assert data(text) == []


def test_what_was_not_looked_into_is_said() -> None:
    text = page(entry("new"), entry("old", front=None), newest=1)
    assert "Of 2 complete runs the newest 1 were looked into" in text
    assert [run["run_id"] for run in data(text)] == ["new"]
    assert "looked into: only" not in page(entry("new"), entry("old"))


def test_hostile_names_stay_text() -> None:
    whole = front()
    whole["objectives"][0]["name"] = HOSTILE
    hostile = entry(HOSTILE, study=HOSTILE, method=HOSTILE, front=whole, uri=HOSTILE)
    text = page(hostile, entry("b", "damaged", why=HOSTILE))
    assert HOSTILE not in text
    assert text.count("<script") == 2
    assert "<img" not in text
    assert escape(HOSTILE) in text
    assert data(text)[0]["study"] == HOSTILE
    assert data(text)[0]["objectives"][0]["name"] == HOSTILE


def test_nothing_is_loaded_and_every_id_is_there() -> None:
    text = page(entry("first", front=front(4)))
    assert set(re.findall(r"https?://[^\s\"'`<)]+", text)) == {"http://www.w3.org/2000/svg"}
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'byId\("([\w-]+)"\)', text)) <= set(ids)
    assert " style=" not in text


def test_runs_in_other_units_are_hollow() -> None:
    text = page(entry("new"), entry("same"), entry("other", front=front(unit="v")), entry("old", front=None))
    assert text.count('class="mark mark-front"') - text.count('class="mark mark-dominated"') == 0
    assert len(re.findall('circle class="mark mark-dominated"', text)) == 2


@pytest.mark.parametrize("m", [1, 2, 3, 8])
def test_thumbnails_of_any_number_of_objectives_are_small(m: int) -> None:
    (thumb,) = re.findall(r'<svg class="thumb".*?</svg>', page(entry("a", front=front(m, size=50))))
    assert "nan" not in thumb
    assert len(thumb) < 5_000


def test_more_studies_than_charts_are_said() -> None:
    runs = [entry(f"r{at}", study=f"study {at}") for at in range(STUDIES + 2)]
    text = page(*runs)
    assert len(re.findall(r'role="img" aria-label="Hypervolume over time', text)) == STUDIES
    assert "2 more studies, with older runs, have no chart." in text


def test_a_thousand_runs_are_a_page_of_a_few_megabytes() -> None:
    runs = [
        entry(f"run-number-{at:04d}", study=f"study {at % 30}", front=front(8, size=50) if at < 100 else None)
        for at in range(1_000)
    ]
    assert len(page(*runs).encode()) < 3e6


def test_same_runs_same_page() -> None:
    assert page(entry("a"), entry("b")) == page(entry("a"), entry("b"))
