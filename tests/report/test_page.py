import base64
import hashlib
import json
import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.report.document import embed
from mapmerge.report.formats import number
from mapmerge.report.page import render

Result = dict[str, Any]
Maker = Callable[..., Result]

HOSTILE = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\"&amp;\u2028"


class Outline(HTMLParser):
    """Tags, ids and attributes in the order in which a browser would meet them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @property
    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.tags if "id" in attributes]

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def renamed(result: Result, old: str, new: str) -> Result:
    """Return the result with a name replaced everywhere, keys included."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {new if key == old else key: walk(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(inner) for inner in value]
        return new if value == old else value

    renewed: Result = walk(result)
    return renewed


def embedded(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found.group(1))


@pytest.mark.parametrize("m", [2, 3, 4, 8])
def test_sections_stand_in_the_order_a_reader_asks(make_result: Maker, m: int) -> None:
    outline = Outline(render(make_result(m)))
    sections = [attributes["id"] for attributes in outline.named("section")]
    assert sections == [
        "front",
        "cost",
        "comparisons",
        "surrogates",
        "failures",
        "warnings",
        "points",
        "items",
        "provenance",
    ]
    assert len(outline.ids) == len(set(outline.ids))
    assert {"figure-front", "figure-pairs", "figure-history", "picked", "picker-weights", "data"} <= set(outline.ids)


def test_every_id_that_the_script_asks_for_is_in_the_page(make_result: Maker) -> None:
    page = render(make_result(3))
    ids = set(Outline(page).ids)
    assert set(re.findall(r'byId\("([\w-]+)"\)', page)) <= ids
    assert set(re.findall(r'describe\("([\w-]+)"', page)) <= ids


def test_policy_allows_only_what_is_inside(make_result: Maker) -> None:
    page = render(make_result(2))
    policy = next(
        str(a["content"]) for a in Outline(page).named("meta") if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        assert inside
        digest = base64.b64encode(hashlib.sha256(inside.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_nothing_is_loaded_from_anywhere(make_result: Maker) -> None:
    page = render(make_result(4))
    assert set(re.findall(r"https?://[^\s\"'`<)]+", page)) == {"http://www.w3.org/2000/svg"}
    assert "@import" not in page
    assert "url(" not in page.replace("url(#${id})", "")
    outline = Outline(page)
    assert all("src" not in attributes for _, attributes in outline.tags)
    links = [str(a["href"]) for _, a in outline.tags if "href" in a]
    assert all(link.startswith(("#", "data:")) for link in links)


def test_no_inline_handlers_or_styles_that_the_policy_would_stop(make_result: Maker) -> None:
    for _, attributes in Outline(render(make_result(3))).tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]


def test_hostile_names_stay_text(make_result: Maker) -> None:
    plain, hostile = make_result(2), renamed(make_result(2), "digits", HOSTILE)
    hostile = {**hostile, "study": HOSTILE, "verdict": HOSTILE, "run_uri": HOSTILE, "warnings": [HOSTILE]}
    page = render(hostile)
    count = [len(Outline(render(plain)).named(tag)) for tag in ("script", "img")]
    assert [len(Outline(page).named(tag)) for tag in ("script", "img")] == count == [2, 0]
    assert escape(HOSTILE) in page
    data = embedded(page)
    assert data["run"] == HOSTILE
    assert HOSTILE in data["experts"]


@given(st.dictionaries(st.text(max_size=8), st.text(alphabet="<>&/!-script\u2028\u2029\"'\\é"), max_size=3))
@settings(max_examples=60, deadline=None)
def test_embedded_json_comes_back_and_holds_no_markup(value: dict[str, str]) -> None:
    text = embed(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_dollar_signs_in_names_are_no_placeholders(make_result: Maker) -> None:
    page = render({**make_result(2), "study": "$style ${script} $"})
    assert "Study <b>$style ${script} $</b>" in page


def test_numbers_of_the_result_are_in_the_page(make_result: Maker) -> None:
    result = make_result(3, lowered=True)
    page = render(result)
    assert f"<strong>{number(result['hypervolume']['value'])}</strong>" in page
    assert result["verdict"] in page
    for comparison in result["comparisons"]:
        assert number(comparison["hypervolume"]) in page
        assert comparison["words"] in page
    for point in [*result["front"], *result["dominated"]]:
        assert f">{point['id']}</th>" in page
        assert number(point["measured"]["digits"]) in page
    for sha in result["provenance"]["experts"].values():
        assert sha in page
    assert (
        sum(len(block["kind"]) for block in embedded(page)["points"])
        == len(result["front"]) + len(result["dominated"]) + 1 + 3 + 2 + 40
    )


def test_turned_axes_are_said(make_result: Maker) -> None:
    assert "runs backwards" not in render(make_result(2))
    assert "the axis of street numbers runs backwards" in render(make_result(2, lowered=True))


def test_points_that_cannot_be_told_apart_are_named(make_result: Maker) -> None:
    result = make_result(3)
    first, second = result["front"][:2]
    page = render(result)
    count = len(result["front"])
    assert f"2 of {count} front points cannot be told apart from another one" in page
    assert f'<td class="names" data-order="3">{second["id"]}, the uniform merge and expert digits</td>' in page
    assert f'<td class="names" data-order="1">{first["id"]}</td>' in page
    assert embedded(page)["spoken"]["uniform"] == "the uniform merge"


def test_promises_and_what_was_kept_of_them_are_in_the_table_of_surrogates(make_result: Maker) -> None:
    page = render(make_result(2))
    assert '<td class="num bad">+0.021 <small>[0.009, 0.034]</small></td><td class="num">88%</td>' in page
    assert '<td class="num">+0.003 <small>[−0.010, 0.015]</small></td><td class="num">75%</td>' in page
    assert "promised of the 24 delivered models on average" in page
    assert "The measured hypervolume is 4% below the predicted one." in page


def test_a_result_that_knows_nothing_of_noise_between_points_is_drawn_all_the_same(make_result: Maker) -> None:
    result = make_result(2)
    for key in ("winners_curse", "calibration"):
        del result[key]
    for point in result["front"]:
        del point["indistinguishable_from"]
    page = render(result)
    assert "told apart from another" not in page
    assert "too much was promised" not in page
    result = make_result(2)
    result["winners_curse"]["hypervolume"] = None
    assert "The measured hypervolume is" not in render(result)


def test_missing_numbers_become_dashes(make_result: Maker) -> None:
    result = make_result(2)
    result["surrogates"]["digits"] |= {"r2_cv": None, "passed": False, "reasons": ["scores do not vary"], "loo": []}
    result["hypervolume"] |= {"low": float("nan")}
    page = render(result)
    assert "NaN" not in json.dumps(embedded(page))
    assert '<td class="bad">not passed</td><td class="prose">scores do not vary</td><td class="num">–</td>' in page
    assert "1 surrogate did not pass the gate" in page


def test_one_point_is_said_to_be_one(make_result: Maker) -> None:
    result = make_result(2)
    page = render({**result, "front": result["front"][:1], "dominated": []})
    assert "<h1>1 merged model serves 2 objectives</h1>" in page
    assert "nothing to trade off" in page


def test_failures_are_listed_or_none(make_result: Maker) -> None:
    result = make_result(2)
    assert "None. Every evaluation" in render(result)
    failure = {
        "coefficients": {"digits": 0.5, "street numbers": 0.0},
        "objective": "digits",
        "split": "held_out",
        "error": "logits of item 17 are not finite",
        "attempts": 3,
    }
    page = render({**result, "failures": [failure]})
    assert "logits of item 17 are not finite" in page
    assert "held-out" in page
    assert "digits 0.500<" in page


def test_many_experts_fit(make_result: Maker) -> None:
    result = make_result(5, k=32)
    page = render(result)
    assert "and 26 more" in page
    assert len(Outline(page).named("th")) > 32


def test_baselines_may_be_absent(make_result: Maker) -> None:
    result = {**make_result(2), "baselines": {}, "comparisons": [], "history": [], "surrogates": {}}
    page = render(result)
    assert "No baseline was measured." in page
    assert {kind for block in embedded(page)["points"] for kind in block["kind"]} <= {"front", "dominated"}


def test_same_result_same_page(make_result: Maker) -> None:
    assert render(make_result(4)) == render(make_result(4))
