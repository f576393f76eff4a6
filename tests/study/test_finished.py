"""A finished run answers preferences without measuring anything."""

import numpy as np
import pytest

from mapmerge.designs.leverage import Leverage
from mapmerge.errors import BadInputError, PreferenceError
from mapmerge.preference import Preference


@pytest.fixture(scope="module")
def run(make_finished):
    return make_finished("memory://finished/runs/one")


def pick(run, **words):
    return run.pick(Preference.parse(**words))


def test_weights_move_the_pick_towards_what_matters(run):
    z, y = (pick(run, weights=weights)["predicted"] for weights in ("z=20,y=1", "z=1,y=20"))
    assert z["z"] > y["z"] + 0.1
    assert z["y"] > y["y"] + 0.1  # a loss: what matters less is worse


def test_a_pick_is_the_same_whenever_asked_and_comes_with_intervals(run):
    picked = pick(run, weights="z=1,y=1")
    assert picked == pick(run, weights="y=2, z=2")
    assert picked["level"] == 0.9
    assert list(picked["coefficients"]) == ["e0", "e1"]
    for name in "zy":
        assert picked["predicted_low"][name] <= picked["predicted"][name] <= picked["predicted_high"][name]
    assert run.surfaces.region.contains(np.array([list(picked["coefficients"].values())]), 1e-9).all()


def test_a_pick_lies_near_what_was_measured(run):
    leverage = Leverage.of(run.surfaces.measured)
    for weights in ("z=1", "y=1", "z=50,y=1"):
        picked = np.array([list(pick(run, weights=weights)["coefficients"].values())])
        assert leverage(picked)[0] <= 1.0 + 1e-9


def test_at_least_means_at_most_where_smaller_is_better(run):
    predicted = pick(run, at_least="y=0.6")["predicted"]
    assert predicted["y"] <= 0.6 + 1e-6
    free = pick(run, weights="z=1")["predicted"]
    assert free["y"] > 0.6
    both = pick(run, at_least=f"y=0.9,z={predicted['z']:.3f}")["predicted"]
    assert both["y"] <= 0.9 + 1e-6
    assert both["z"] >= predicted["z"] - 1e-3


def test_what_cannot_be_met_is_answered_with_the_nearest_that_can(run):
    with pytest.raises(
        PreferenceError, match=r"predicted to reach z 0.999, y 0.01; the nearest .*: z 0\.\d+, y 1\.\d+"
    ):
        pick(run, at_least="z=0.999,y=0.01")


def test_the_knee_is_between_the_ends(run):
    knee = pick(run, knee=True)["predicted"]
    ends = [pick(run, weights=f"{name}=1")["predicted"] for name in "zy"]
    assert ends[1]["z"] < knee["z"] < ends[0]["z"]


@pytest.mark.parametrize("words", ["x=1", "z=1,x=0"])
def test_a_preference_that_names_no_objective(run, words):
    with pytest.raises(PreferenceError, match="no objective 'x'; known are 'y', 'z'"):
        pick(run, weights=words)


@pytest.mark.parametrize("words", ["z=0,y=0", "z=-1", "z=nan", "z=inf"])
def test_weights_that_are_none(run, words):
    with pytest.raises(PreferenceError, match="expected"):
        pick(run, weights=words)


def test_points_are_found_by_their_id(run):
    assert run.point("p01") == run.result["front"][0]
    last = (run.result["front"] + run.result["dominated"])[-1]
    assert run.point(last["id"]) == last
    with pytest.raises(BadInputError, match=r"no point 'p99'; its front goes from p01 to p\d\d"):
        run.point("p99")


def test_rows_have_a_header_and_every_delivered_point(run):
    header, *rows = run.rows()
    assert header[:4] == ["id", "on_front", "c_e0", "c_e1"]
    assert header[4:8] == ["z_predicted", "z_measured", "z_low", "z_high"]
    assert {len(row) for row in rows} == {len(header)}
    assert [row[1] for row in rows] == [1] * len(run.result["front"]) + [0] * len(run.result["dominated"])
    assert rows[0][5] == run.result["front"][0]["measured"]["z"]


def test_normalised_gains_put_the_unmerged_models_between_0_and_1(run):
    assert run.normalisation.apply(run.normalisation.ideal).tolist() == [1, 1]
    gains = run.measured_gains()
    assert gains.shape == (len(run.result["front"]), 2)
    assert (gains > 0).any()
