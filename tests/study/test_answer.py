"""The answer of a study: one JSON object that says what was found and how sure that is."""

import json

import numpy as np
import pytest

from mapmerge.answer.course import course
from mapmerge.answer.result import BASELINES, answer
from mapmerge.errors import FailedRunError
from mapmerge.fronts.dominance import nondominated


@pytest.fixture(scope="module")
def finished(make_world):
    world = make_world()
    study = world.study(budget={"front": 8}, design={"points": 8})
    surfaces, final = world.finish(study)
    return study, answer(study, surfaces, final)


def test_it_is_plain_json_without_nan(finished):
    _, result = finished
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["schema"] == "mapmerge/result/1"
    assert [objective["direction"] for objective in result["objectives"]] == ["maximize", "minimize"]


def test_points_have_ids_in_the_order_of_the_first_objective_and_are_not_dominated(finished):
    study, result = finished
    front, rest = result["front"], result["dominated"]
    assert [point["id"] for point in front + rest] == [f"p{i:02d}" for i in range(1, len(front + rest) + 1)]
    scores = np.array([[point["measured"][name] for name in "zy"] for point in front]) * study.signs
    assert (np.diff(scores[:, 0]) <= 0).all()
    assert nondominated(scores).all()
    everything = np.array([[point["measured"][name] for name in "zy"] for point in front + rest]) * study.signs
    assert not nondominated(everything)[len(front) :].any()


def test_intervals_hold_what_they_are_about_in_both_directions(finished):
    _, result = finished
    baselines = result["baselines"]
    points = [*result["front"], *result["dominated"], baselines["base"], baselines["uniform"]]
    for point in points:
        for name in "zy":
            assert point["low"][name] <= point["measured"][name] <= point["high"][name]
    for point in result["front"]:
        for name in "zy":
            assert point["predicted_low"][name] <= point["predicted"][name] <= point["predicted_high"][name]
        assert 0 <= point["probability_nondominated"] <= 1
    assert result["hypervolume"]["low"] <= result["hypervolume"]["value"] <= result["hypervolume"]["high"]


def test_reference_and_ideal_are_scores_of_unmerged_models(finished):
    _, result = finished
    baselines = result["baselines"]
    unmerged = [baselines["base"], *baselines["experts"].values()]
    assert set(baselines["experts"]) == {"e0", "e1"}
    for name, worst, best in (("z", min, max), ("y", max, min)):
        scores = [point["measured"][name] for point in unmerged]
        assert result["hypervolume"]["reference_point"][name] == pytest.approx(worst(scores))
        assert result["hypervolume"]["ideal_point"][name] == pytest.approx(best(scores))


def test_every_baseline_is_compared_and_spoken_of(finished):
    _, result = finished
    unrefined = [name for name in BASELINES if name != "before_refinement"]
    assert [comparison["baseline"] for comparison in result["comparisons"]] == unrefined
    assert result["baselines"]["best_scalar"]["scalar"] in (0.25, 0.5)
    for words in ("unmerged models", "uniform merge", "single scaling factor", "random search at equal cost"):
        assert words in result["verdict"]


def test_each_front_point_names_the_others_that_it_cannot_be_told_apart_from(finished):
    _, result = finished
    ids = {point["id"] for point in result["front"]}
    alike = {point["id"]: set(point["indistinguishable_from"]) for point in result["front"]}
    names = {"base", "uniform", "best_scalar", "expert e0", "expert e1"}
    for mine, others in alike.items():
        assert others <= (ids | names) - {mine}
        for other in others & ids:
            assert mine in alike[other]
    assert all("indistinguishable_from" not in point for point in result["dominated"])


def test_a_front_point_that_is_a_baseline_is_not_told_apart_from_it(make_world):
    world = make_world()
    study = world.study()
    surfaces, final = world.finish(study)
    final.sets["delivered"] = final.sets["uniform"]
    result = answer(study, surfaces, final)
    assert result["baselines"]["best_scalar"]["scalar"] == 0.5  # the same model
    assert result["front"][0]["indistinguishable_from"] == ["uniform", "best_scalar"]


def test_promises_are_held_against_what_was_measured_of_all_delivered_points(finished):
    _, result = finished
    delivered = result["front"] + result["dominated"]
    curse, calibration = result["winners_curse"], result["calibration"]
    assert curse["points"] == calibration["points"] == len(delivered)
    for name, sign in (("z", 1), ("y", -1)):
        missed = [sign * (point["predicted"][name] - point["measured"][name]) for point in delivered]
        entry = curse["objectives"][name]
        assert entry["value"] == pytest.approx(np.mean(missed))
        assert entry["low"] < entry["value"] < entry["high"]
        assert entry["standard_error"] > 0
        inside = [p["predicted_low"][name] <= p["measured"][name] <= p["predicted_high"][name] for p in delivered]
        assert calibration["inside"][name] == pytest.approx(np.mean(inside))
    volume = result["hypervolume"]
    share = (volume["predicted"] - volume["value"]) / volume["predicted"]
    assert curse["hypervolume"]["value"] == pytest.approx(share)


def test_a_promise_that_was_not_kept_is_in_the_verdict(make_world):
    world = make_world()
    study = world.study(budget={"front": 8})
    world.search(study)
    surfaces = study.fit()
    final = study.ask_final(study.predict(surfaces))
    true = world.score
    world.score = lambda row, index: 0.5 * true(row, index) if index == 0 else true(row, index)
    study.tell(final.question, world.measure(final.question))
    result = answer(study, surfaces, final)
    assert result["winners_curse"]["objectives"]["z"]["words"] == "promised too much"
    assert "the surrogates promised too much on z (by 0." in result["verdict"]


def test_history_counts_evaluations_and_never_falls(finished):
    study, result = finished
    steps = course(study, study.fit())
    assert result["history"] == steps
    assert [step["evaluations"] for step in steps] == list(range(2, 2 * 8 + 1, 2))
    assert (np.diff([step["hypervolume"] for step in steps]) >= 0).all()
    assert steps[-1]["hypervolume"] == pytest.approx(study.hypervolume())


def test_the_same_study_gives_the_same_answer_to_the_last_bit(finished, make_world):
    _, result = finished
    world = make_world()
    study = world.study(budget={"front": 8}, design={"points": 8})
    surfaces, final = world.finish(study)
    assert json.dumps(answer(study, surfaces, final)) == json.dumps(result)


def test_a_surrogate_that_failed_its_gate_is_named(make_world):
    world = make_world(rough=frozenset({"z"}))
    study = world.study()
    surfaces, final = world.finish(study)
    result = answer(study, surfaces, final)
    assert result["surrogates"]["z"]["passed"] is False
    assert result["surrogates"]["y"]["passed"] is True
    assert "surrogate of z failed its checks" in result["verdict"]


@pytest.mark.parametrize("k", [1, 2])
def test_one_objective_gives_one_point(make_world, metrics, k):
    world = make_world(k=k, metrics=(metrics["accuracy"],))
    study = world.study()
    surfaces, final = world.finish(study)
    result = answer(study, surfaces, final)
    assert len(result["front"]) == 1
    assert json.dumps(result, allow_nan=False)


def test_a_family_without_any_gain_is_told_so(make_world):
    world = make_world()
    anchors = {(0.0, 0.0): (0.5, 1.0), (1.0, 0.0): (0.9, 1.0), (0.0, 1.0): (0.5, 0.4)}
    world.score = lambda row, index: anchors.get(tuple(row), (0.2, 3.0))[index]
    study = world.study()
    surfaces, final = world.finish(study)
    result = answer(study, surfaces, final)
    assert "The front is better than" not in result["verdict"]


def test_a_model_that_failed_on_held_out_items_is_left_out_where_others_remain(make_world):
    world = make_world(fails=lambda row, name, split: split == "held_out" and row.tolist() == [0.0, 1.0])
    study = world.study()
    surfaces, final = world.finish(study)
    assert set(answer(study, surfaces, final)["baselines"]["experts"]) == {"e0"}


def test_a_baseline_that_could_not_be_measured_is_left_out_and_the_run_says_so(make_world):
    world = make_world(fails=lambda row, name, split: split == "held_out" and row.tolist() in ([0.0, 0.0], [0.5, 0.5]))
    study = world.study(compute={"max_failed_fraction": 0.9})
    surfaces, final = world.finish(study)
    result = answer(study, surfaces, final)
    assert result["baselines"]["base"] is None
    assert result["baselines"]["uniform"] is None
    assert set(result["baselines"]["experts"]) == {"e0", "e1"}
    assert "uniform" not in {comparison["baseline"] for comparison in result["comparisons"]}
    assert any(warning.startswith("uniform: not measured") for warning in result["warnings"])
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(("lost", "words"), [("unmerged", "no unmerged model"), ("delivered", "no delivered point")])
def test_nothing_to_measure_by_is_a_failed_run(make_world, lost, words):
    def fails(row, name, split):
        unmerged = row.tolist() in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
        return split == "held_out" and name == "y" and unmerged == (lost == "unmerged")

    world = make_world(fails=fails)
    study = world.study(compute={"max_failed_fraction": 0.9})
    surfaces, final = world.finish(study)
    with pytest.raises(FailedRunError, match=words):
        answer(study, surfaces, final)


def test_fewer_points_than_parameters_still_give_a_json_result(make_world):
    lost = []

    def fails(row, name, split):
        if split == "search" and len(lost) < 3 and row.tolist() not in lost and 0 < row.min() < 0.4:
            lost.append(row.tolist())
        return split == "search" and row.tolist() in lost

    world = make_world(fails=fails)
    study = world.study(budget={"evaluations": 6}, compute={"max_failed_fraction": 0.9})
    surfaces, final = world.finish(study)
    result = answer(study, surfaces, final)
    assert {entry["condition"] for entry in result["surrogates"].values()} == {None}
    json.dumps(result, allow_nan=False)


def test_few_points_are_said(make_world):
    world = make_world()
    for evaluations, said in ((6, True), (12, False)):
        study = world.study(budget={"evaluations": evaluations})
        surfaces, final = world.finish(study)
        assert any("fewer than 2p = 12" in warning for warning in answer(study, surfaces, final)["warnings"]) == said
