import json
from dataclasses import replace

import numpy as np
import pytest

from mapmerge.designs.leverage import Leverage
from mapmerge.designs.region import Region
from mapmerge.errors import BadInputError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.fronts.preferences import pick_mean
from mapmerge.records import Metric, Objective
from mapmerge.response import ResponseSurfaces
from mapmerge.surrogates.fitting import fit_quadratic
from mapmerge.surrogates.gaussian_process import fit_gaussian_process
from mapmerge.surrogates.stored import surrogate_from_json

ACCURACY = Metric("accuracy", lower=0.0, upper=1.0, maximize=True)


def _measured():
    points = np.random.default_rng(0).random((30, 2))
    scores = 0.5 + 0.3 * np.sin(6.0 * points[:, 0]) * points[:, 1]
    return points, scores, np.full(30, 1e-4), np.full(30, 2000), ACCURACY


def test_surfaces_of_surrogates_of_all_kinds_come_back_with_the_same_bits():
    measured = _measured()
    surfaces = ResponseSurfaces(
        objectives=(Objective("a", ACCURACY), Objective("b", ACCURACY)),
        surrogates=(fit_quadratic(*measured), fit_gaussian_process(*measured)),
        region=Region(np.zeros(2), np.ones(2)),
        covered=(500.0, 1.0 / 3.0),
        measured=measured[0],
    )
    again = ResponseSurfaces.from_json(json.loads(json.dumps(surfaces.to_json())))
    assert [surrogate.kind for surrogate in again.surrogates] == ["quadratic", "gaussian-process"]
    np.testing.assert_array_equal(again.scores(measured[0]), surfaces.scores(measured[0]))
    np.testing.assert_array_equal(again.intervals(measured[0], 0.9), surfaces.intervals(measured[0], 0.9))
    assert again.covered == surfaces.covered
    np.testing.assert_array_equal(again.measured, surfaces.measured)
    older = {name: value for name, value in surfaces.to_json().items() if name not in ("covered", "measured")}
    assert ResponseSurfaces.from_json(older).covered is None
    assert ResponseSurfaces.from_json(older).measured is None
    for one, other in zip(again.surrogates, surfaces.surrogates, strict=True):
        np.testing.assert_array_equal(one.eta(measured[0]), other.eta(measured[0]))


@pytest.mark.parametrize("kind", [None, "forest"])
def test_a_kind_that_is_none_of_ours_is_refused(kind):
    plain = dict(fit_quadratic(*_measured()).to_json()) | {"kind": kind}
    with pytest.raises(BadInputError, match="kind 'quadratic' or 'thin-quadratic' or 'gaussian-process' or 'margins'"):
        surrogate_from_json(plain)


def test_what_is_trusted_ends_where_measurements_end():
    """A quadratic that rises for ever is climbed to the corner of the region, or to the edge of what was measured."""
    points = 0.5 * np.random.default_rng(0).random((40, 2))
    scores = 0.3 + 0.2 * points.sum(axis=1)
    surrogate = fit_quadratic(points, scores, np.full(40, 1e-4), np.full(40, 2000), ACCURACY)
    surfaces = ResponseSurfaces((Objective("a", ACCURACY),), (surrogate,), Region(np.zeros(2), np.full(2, 2.0)))
    unit, even = Normalisation(np.zeros(1), np.ones(1)), np.ones(1)
    everywhere = pick_mean(surfaces.trusted(), even, unit, rng=np.random.default_rng(1))
    np.testing.assert_allclose(everywhere.coefficients, [2.0, 2.0])
    near = pick_mean(replace(surfaces, measured=points).trusted(), even, unit, rng=np.random.default_rng(1))
    assert Leverage.of(points)(near.coefficients[None])[0] <= 1.0 + 1e-9
    assert near.coefficients.min() > 0.4
    assert near.coefficients.max() < 0.7
    few = replace(surfaces, measured=points[:5]).trusted()
    np.testing.assert_allclose(
        pick_mean(few, even, unit, rng=np.random.default_rng(1)).coefficients, everywhere.coefficients
    )
