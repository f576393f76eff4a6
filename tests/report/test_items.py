"""From a delivered point to its evaluations and items."""

import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import IntegrityError
from mapmerge.ledger.runs import RunFolder
from mapmerge.report.items import BINS, LISTED, ObjectiveItems, Rival, contrast, delivered, look_up
from mapmerge.report.page import render
from tests.report.recorded_run import record, recorded_run, right_on

HOSTILE = "</details><script>alert(1)</script>"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return recorded_run(tmp_path)


def test_each_point_is_set_against_the_best_unmerged_model(run: RunFolder) -> None:
    result = run.get_json("result")
    items = look_up(run, result)
    assert list(items) == ["a", "b", "c", "d"]
    found = items["a"]
    assert found.rival == Rival("x", 0.4)
    first, second, third = found.contrasts
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.items, first.gained.count, first.lost.count, first.right) == (50, 10, 0, 20)
    assert first.gained.listed == tuple(range(20, 30))
    assert (second.gained.count, second.lost.count, second.right) == (27, 12, 8)
    assert second.gained.listed == tuple(range(20, 20 + LISTED))
    assert third.lost.listed == (0, 1, 2, 3, 4)
    page = render(result, items)
    assert all(key in page for objective in items.values() for key in objective.keys)
    assert f"{', '.join(map(str, range(20, 20 + LISTED)))} and {27 - LISTED} more" in page
    assert '<b>p02</b> on the front <span class="quiet">gains 108, loses 48 items</span>' in page
    assert '<td class="num">27</td><td class="num">12</td><td class="num">11 <small>8 right</small></td>' in page


def test_lower_is_better_where_the_study_says_so(run: RunFolder) -> None:
    result = run.get_json("result")
    result["objectives"][0]["direction"] = "minimize"
    found = look_up(run, result)["a"]
    assert found.rival == Rival("base model", 0.2)
    first = found.contrasts[0]
    assert first is not None
    assert (first.gained.count, first.lost.count, first.right) == (0, 20, 20)


def test_what_the_ledger_has_lost_is_said(run: RunFolder) -> None:
    result = run.get_json("result")
    key = look_up(run, result)["b"].keys[1]
    run.store.delete(f"evaluations/{key[:2]}/{key}.json")
    items = look_up(run, result)
    assert [each is None for each in items["b"].contrasts] == [False, True, False]
    assert items["b"].keys[1] == key
    # All four objectives of this run are the same measurement.
    assert render(result, items).count("an evaluation is no longer in the ledger") == 4


def test_without_unmerged_models_keys_stay(run: RunFolder) -> None:
    result = run.get_json("result")
    result["baselines"] |= {"base": None, "experts": {}}
    items = look_up(run, result)
    page = render(result, items)
    assert page.count("no unmerged model was measured") == 12
    assert items["a"].keys[0] in page


def test_a_record_of_another_length_is_no_measurement_of_these_items(run: RunFolder) -> None:
    result = run.get_json("result")
    (key,) = record(run, 0.9, right_on(range(3))[:7], ("a",))
    result["front"][0]["coefficients"] = {"x": 0.9, "y": 0.9}
    found = look_up(run, result)["a"]
    assert (found.keys[0], found.contrasts[0]) == (key, None)


def test_a_result_about_something_else_is_refused(run: RunFolder) -> None:
    result = run.get_json("result")
    result["front"][0]["coefficients"] = {"x": 0.6, "z": 0.6}
    with pytest.raises(IntegrityError, match="about other experts or objectives"):
        look_up(run, result)


outcomes = st.integers(1, 130).flatmap(
    lambda size: st.tuples(*[st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=size, max_size=size)] * 2)
)


@given(outcomes)
@settings(max_examples=60, deadline=None)
def test_every_item_is_gained_lost_or_alike(pair: tuple[list[float], list[float]]) -> None:
    mine, other = map(np.array, pair)
    found = contrast(mine, other)
    assert found.gained.count == (mine > other).sum()
    assert found.lost.count == (mine < other).sum()
    for side, sign in ((found.gained, 1), (found.lost, -1)):
        assert sum(side.bins) == side.count
        assert len(side.bins) == min(BINS, found.items)
        assert len(side.listed) == min(LISTED, side.count)
        differences = [sign * (mine[item] - other[item]) for item in side.listed]
        assert differences == sorted(differences, reverse=True)
        assert all(difference > 0 for difference in differences)


def test_hostile_names_stay_text(make_result: Callable[..., dict[str, Any]]) -> None:
    result = make_result(2)
    result["front"][0]["id"] = HOSTILE
    names = [objective["name"] for objective in result["objectives"]]
    seen = contrast(right_on(range(9)), right_on(range(4, 12)))
    points = len(delivered(result))
    items = {name: ObjectiveItems(Rival(HOSTILE, 0.5), ("<b>",) * points, (seen,) * points) for name in names}
    page = render(result, items)
    assert HOSTILE not in page
    assert escape(HOSTILE) in page
    assert '<span class="mono">&lt;b&gt;</span>' in page


def test_a_large_front_stays_a_small_page(make_result: Callable[..., dict[str, Any]]) -> None:
    result = make_result(8, size=100)
    rng = np.random.default_rng(0)
    points = len(delivered(result))
    assert points == 100
    items = {}
    for objective in result["objectives"]:
        other, *mine = (rng.random((points + 1, 10_000)) < 0.7).astype(np.float32)
        contrasts = tuple(contrast(each, other) for each in mine)
        items[objective["name"]] = ObjectiveItems(Rival("cars", 0.7), ("ab" * 32,) * points, contrasts)
    page = render(result, items)
    assert len(re.findall('<details class="drill"', page)) == points
    assert len(page.encode()) < 2.5e6
