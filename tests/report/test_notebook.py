"""What a notebook shows of a front: short, and text whatever the names are."""

import json
from html.parser import HTMLParser

import pytest

from mapmerge.report.figures import front_svg
from mapmerge.report.notebook import front_html, front_text

HOSTILE = "<script>alert(1)</script>\x1b[31m\n\"'&<img src=x onerror=alert(1)>"
TAGS = {"div", "p", "b", "table", "caption", "thead", "tbody", "tr", "th", "td", "small", "img"}


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.seen, self.attributes, self.words = set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words += data


@pytest.fixture
def hostile(make_result):
    """A result in which every name and every word is hostile."""
    text = json.dumps({**make_result(2), "verdict": HOSTILE * 20})
    for place, name in enumerate(("digits", "street numbers", "vision-2", "p01", "p02")):
        text = text.replace(json.dumps(name), json.dumps(f"{HOSTILE}{place}"))
    return json.loads(text)


def test_hostile_names_stay_text(hostile):
    shown = Tags(front_html(hostile))
    assert shown.seen == TAGS
    assert shown.attributes <= {"class", "role", "tabindex", "aria-label", "scope", "alt", "style", "src"}
    assert HOSTILE in shown.words


def test_the_text_is_short_and_has_no_control_characters(hostile):
    lines = front_text(hostile).split("\n")
    assert len(lines) <= 10
    assert all(line.isprintable() and len(line) < 300 for line in lines)


@pytest.mark.parametrize(("m", "size"), [(2, 1), (2, 24), (3, 24), (8, 24)])
def test_a_front_of_any_size_fits_in_ten_lines(make_result, m, size):
    result = make_result(m, size=size)
    lines = front_text(result).splitlines()
    assert len(lines) <= 10
    assert all(len(line) < 300 for line in lines)
    shown = {point["id"] for point in result["front"] if f"\n  {point['id']}  " in front_text(result)}
    assert len(shown) == min(6, len(result["front"]))
    rows = front_html(result).count('<th scope="row">')
    assert rows == min(10, len(result["front"]))


def test_one_objective_alone_is_drawn_too(make_result):
    result = make_result(2)
    alone = {**result, "objectives": result["objectives"][:1]}
    assert front_svg(alone).count("<circle") == len(result["front"]) + 1
    assert "1 objective" in front_text(alone)
