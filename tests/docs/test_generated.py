"""Pages that are made from the code are up to date, and what a result holds is what its page says."""

import importlib.util
import re
from pathlib import Path

import pytest

from tasks.plan import plan

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "docs" / "result.md"


def module(name):
    """Return a script of the documentation as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_the_pages_are_what_the_code_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for page, make in module("generate").PAGES.items():
        assert (ROOT / "docs" / page).read_text() == make(), f"{page}: run `python docs/generate.py`"


def sections():
    """Return the text under each heading of the page about results."""
    found = re.split(r"^#+ (.*)$", RESULT.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def keys(table):
    """Return the keys in the first column of a table."""
    firsts = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {key for first in firsts for key in re.findall(r"`([a-z0-9_]+)`", first)}


@pytest.mark.slow
def test_a_result_has_the_keys_that_are_documented_and_no_others(digits_run):
    result, page = digits_run.result, sections()
    surrogates = list(result["surrogates"].values())
    for heading, objects in {
        "Top level": [result],
        "`hypervolume`": [result["hypervolume"]],
        "A surrogate": surrogates,
        "A point of `front` or `dominated`": result["front"],
        "`winners_curse`": [result["winners_curse"]],
        "`calibration`": [result["calibration"]],
        "An entry of `comparisons`": result["comparisons"],
    }.items():
        for entry in objects:
            assert set(entry) == keys(page[heading]), heading


@pytest.mark.slow
def test_what_is_documented_in_words_is_there_too(digits_run, mapmerge):
    result, page = digits_run.result, sections()
    picked = mapmerge("pick", digits_run.uri, "--knee", "--json").json
    compared = mapmerge("compare", digits_run.uri, digits_run.uri, "--json").json
    model = result["baselines"]["best_scalar"]
    for heading, names in {
        "Top level": {*result["objectives"][0], *result["history"][0], *result["region"]},
        "`winners_curse`": {key for entry in result["winners_curse"]["objectives"].values() for key in entry},
        "`baselines`": {*result["baselines"], *result["baselines"]["random_search"], *model},
        "`provenance`": {*result["provenance"], *result["provenance"]["item_sets"]["upright"]["search"]},
        "`mapmerge pick --json`": set(picked),
        "`mapmerge compare --json`": {*compared, *compared["runs"][0]},
    }.items():
        words = set(re.findall(r"[a-z0-9_]+", page[heading]))
        assert not names - words, heading


def test_a_plan_has_the_keys_that_are_documented(digits_family):
    study, page = str(digits_family / "study.yaml"), sections()
    always, nested = keys(page["`mapmerge plan --json`"]), keys(page["A plan of `method: nested`"])
    assert set(plan(study, [])) == always
    assert set(plan(study, ["method=nested", "budget.evaluations=null"])) == always | nested


def test_the_curves_are_what_the_raw_results_say():
    drawn = module("curves").figures()
    assert drawn
    for file, content in drawn.items():
        assert file.read_text() == content, "run `python docs/curves.py`"


def test_the_tables_are_what_the_raw_results_say():
    figures = module("figures")
    page = figures.PAGE.read_text()
    assert figures.filled(page) == page, "run `python -m docs.figures`"
    assert page.count("<!-- table: ") == len(figures.TABLES)
