import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.report.figures import front_svg
from mapmerge.report.scales import Scale

Maker = Callable[..., dict[str, Any]]
SVG = "{http://www.w3.org/2000/svg}"


def circles(picture: str) -> int:
    """Count the marks of front points, the one in the legend left out."""
    return len(ElementTree.fromstring(picture).findall(f"{SVG}circle")) - 1


@pytest.mark.parametrize(("m", "places"), [(2, 1), (3, 3), (4, 4), (8, 8)])
def test_every_front_point_is_drawn(make_result: Maker, m: int, places: int) -> None:
    result = make_result(m, lowered=True)
    assert circles(front_svg(result)) == len(result["front"]) * places


def test_picture_loads_nothing_and_keeps_hostile_names_as_text(make_result: Maker) -> None:
    result = make_result(2)
    result["objectives"][0]["name"] = "<script>&"
    for point in [*result["front"], *result["dominated"], *result["baselines"]["random_search"]["points"]]:
        _rename(point)
    for point in [result["baselines"][name] for name in ("base", "uniform", "best_scalar")]:
        _rename(point)
    for point in result["baselines"]["experts"].values():
        _rename(point)
    for name in ("reference_point", "ideal_point"):
        result["hypervolume"][name] = _moved(result["hypervolume"][name])
    picture = front_svg(result)
    assert not list(ElementTree.fromstring(picture).iter(f"{SVG}script"))
    assert "&lt;script&gt;&amp;" in picture
    assert picture.count("http") == 1
    assert "url(" not in picture


def test_lower_is_better_turns_the_axis(make_result: Maker) -> None:
    assert "lower is better" in front_svg(make_result(2, lowered=True))
    scale = Scale.around([0.1, 2.0], worse=0.0, better=100.0, maximize=False)
    assert scale.at(0.1) > scale.at(2.0)


def test_one_point_and_no_baselines(make_result: Maker) -> None:
    result = make_result(2)
    picture = front_svg({**result, "front": result["front"][:1], "dominated": [], "baselines": {}})
    assert circles(picture) == 1


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6),
    st.booleans(),
    st.integers(2, 8),
)
@settings(max_examples=80, deadline=None)
def test_scores_and_ticks_lie_on_the_axis(scores: list[float], maximize: bool, about: int) -> None:
    scale = Scale.around(scores, worse=0.0, better=100.0, maximize=maximize)
    assert all(-1e-6 <= scale.at(score) <= 100 + 1e-6 for score in scores)
    ticks = scale.ticks(about)
    assert len(ticks) <= about + 2
    assert all(-1e-6 <= scale.at(value) <= 100 + 1e-6 for value, _ in ticks)


def _moved(scores: dict[str, float]) -> dict[str, float]:
    return {"<script>&" if name == "digits" else name: score for name, score in scores.items()}


def _rename(point: dict[str, Any]) -> None:
    for part in ("measured", "low", "high", "predicted", "predicted_low", "predicted_high"):
        if part in point:
            point[part] = _moved(point[part])
