"""How a result looks on a terminal, without a run."""

from typing import Any

import pytest

from flows.cli.show import print_plan, print_result


def result(*alike: list[str], **more: Any) -> dict[str, Any]:
    """Return just enough of a result with one front point for each list of what it cannot be told apart from."""
    scores = {"digits": 0.9, "cars": 0.8}
    model = {"coefficients": {"a": 0.5}, "measured": scores, "low": scores, "high": scores, "predicted": scores}
    return {
        "experts": ["a"],
        "objectives": [{"name": name} for name in scores],
        "front": [
            {"id": f"p{place + 1:02d}", **model, "indistinguishable_from": names} for place, names in enumerate(alike)
        ],
        "baselines": {"base": model, "experts": {"a": model}, "uniform": None, "best_scalar": None},
        "hypervolume": {"value": 0.5, "low": 0.4, "high": 0.6},
        "evaluations": 1,
        "evaluations_reused": 0,
        "evaluations_failed": 0,
        "items_forwarded": 10,
        "seconds": 1.0,
        "verdict": "Well.",
        "warnings": [],
        "run_uri": "file:///runs/one",
        **more,
    }


def said(capsys: pytest.CaptureFixture[str], shown: dict[str, Any]) -> str:
    print_result(shown)
    return " ".join(capsys.readouterr().out.split())


def test_a_line_says_which_points_are_alike_and_how_well_intervals_hold(capsys: pytest.CaptureFixture[str]) -> None:
    calibration = {"points": 3, "level": 0.9, "inside": {"digits": 1.0, "cars": 2 / 3}}
    words = said(capsys, result(["p02"], ["p01", "expert a"], [], calibration=calibration))
    assert "2 of 3 front points cannot be told apart from another one" in words
    assert "1 of them cannot be told apart from expert a." in words
    assert "83 % of measured scores lie in the 90 % interval predicted for them, of cars 67 %." in words


def test_equal_shares_name_no_worst_objective(capsys: pytest.CaptureFixture[str]) -> None:
    calibration = {"points": 2, "level": 0.9, "inside": {"digits": 0.5, "cars": 0.5}}
    assert "50 % of measured scores lie in the 90 % interval predicted for them." in said(
        capsys, result([], [], calibration=calibration)
    )


def test_a_result_of_an_older_version_is_shown_without_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown = result([], [])
    for point in shown["front"]:
        del point["indistinguishable_from"]
    words = said(capsys, shown)
    assert "told apart" not in words
    assert "interval predicted" not in words
    assert "Well." in words


def planned(**more: Any) -> dict[str, Any]:
    """Return just enough of a plan."""
    return {
        "study": "s",
        "experts": {"a": {}, "b": {}},
        "objectives": [{"name": "a"}],
        "rounds": [{"name": "a--b", "candidates": 36, "evaluations": 72, "items_forwarded": 7200}],
        "total": {"evaluations": 72, "items_forwarded": 7200},
        "bytes": {"checkpoints": 1, "task_matrix": 1},
        "seconds": {"one_actor": 1.0, "estimated": 1.0, "actors": 1},
        "warnings": [],
        **more,
    }


def test_a_plan_shows_the_tree_and_what_one_preference_costs(capsys: pytest.CaptureFixture[str]) -> None:
    alone = {"evaluations": 24, "items_forwarded": 2400}
    tree = "a--b: 24 evaluations\n├── a\n└── b"
    print_plan(planned(tree=tree, tree_grows=False, preferences=3, one_preference=alone))
    shown = capsys.readouterr().out
    assert f"\n{tree}\n" in shown
    words = " ".join(shown.split())
    assert "one preference alone 24 2,400 at most 72 7,200" in words
    print_plan(planned(tree=tree, tree_grows=True, preferences=1, one_preference=alone))
    words = " ".join(capsys.readouterr().out.split())
    assert "one preference" not in words
    assert "about 72 7,200" in words
    print_plan(planned())
    assert "at most 72 7,200" in " ".join(capsys.readouterr().out.split())


def test_models_of_many_objectives_stand_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {f"goal-{at}": 0.5 + 0.01 * at for at in range(9)}
    ends = {"reference_point": dict.fromkeys(scores, 0.0), "ideal_point": dict.fromkeys(scores, 1.0)}
    volume = {"value": 3.2e-7, "low": 1e-7, "high": 4e-7, **ends}
    model = {"coefficients": {"a": 0.25}, "measured": scores}
    front = [{"id": f"p{at:02d}", **model, "indistinguishable_from": []} for at in range(1, 8)]
    many = result(objectives=[{"name": name} for name in scores], front=front, hypervolume=volume)
    many["baselines"] |= {"base": model, "uniform": model}
    words = said(capsys, many)
    assert "p01 p03 p04 p05 p07 base uniform" in words
    assert "goal-3 0.530 0.530" in words
    assert "mean, normalised 0.540" in words
    assert "2 more: mapmerge front" in words
    assert "hypervolume 3.2e-07 [1e-07, 4e-07]" in words
