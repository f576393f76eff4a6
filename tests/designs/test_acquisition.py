import numpy as np
import pytest
import torch
from botorch.exceptions.errors import ModelFittingError
from botorch.models import ModelListGP, SingleTaskGP

from mapmerge.designs import acquisition, promise
from mapmerge.designs.acquisition import Measured, propose
from mapmerge.designs.region import Region

NOTHING = np.zeros((0, 2))


def parabolas(points, m, *, noise=1e-4):
    """Objectives that are best in the corners (1, 0) and (0, 1), by turns."""
    tops = np.array([np.eye(2)[index % 2] for index in range(m)])
    return [Measured(points, -((points - top) ** 2).sum(axis=1), np.full(len(points), noise)) for top in tops]


def above(values):
    return values + 1.5


@pytest.fixture
def spread():
    return Region(np.zeros(2), np.ones(2)).sample(9, np.random.default_rng(0))


def test_one_objective_is_climbed(spread):
    region = Region(np.zeros(2), np.ones(2))
    found = propose(
        parabolas(spread, 1), above, region, asked=spread, pending=NOTHING, count=1, rng=np.random.default_rng(1)
    )
    assert np.abs(found - [1.0, 0.0]).max() < 0.1


@pytest.mark.parametrize("m", [2, 6])
def test_a_batch_spreads_over_the_front(spread, m):
    region = Region(np.zeros(2), np.ones(2))
    found = propose(
        parabolas(spread, m), above, region, asked=spread, pending=NOTHING, count=2, rng=np.random.default_rng(1)
    )
    assert np.abs(found.sum(axis=1) - 1.0).max() < 0.2  # the front is the line between the corners
    assert np.ptp(found[:, 0]) > 0.05


@pytest.mark.parametrize(
    "region",
    [
        Region(np.zeros(2), np.full(2, 0.8), (0.2, 0.9)),
        Region(np.array([0.25, 0.0]), np.array([0.25, 1.0])),
        Region(np.zeros(2), np.ones(2), (0.7, 0.7)),
        Region(np.full(2, -0.5), np.ones(2), (-1.0, 0.5)),
    ],
    ids=["cut twice", "flat", "a plane", "below zero"],
)
def test_candidates_lie_in_the_region(spread, region):
    found = propose(
        parabolas(spread, 2), above, region, asked=spread, pending=NOTHING, count=2, rng=np.random.default_rng(2)
    )
    assert region.contains(found).all()


def test_a_reference_that_nothing_reaches_does_not_stop_it(spread):
    region = Region(np.zeros(2), np.ones(2))
    for m in (2, 5):
        found = propose(
            parabolas(spread, m),
            lambda values: values - 100.0,
            region,
            asked=spread,
            pending=NOTHING,
            count=1,
            rng=np.random.default_rng(3),
        )
        assert region.contains(found).all()


def test_objectives_may_have_been_measured_on_different_candidates(spread):
    known = parabolas(spread, 2)
    known[1] = parabolas(spread[:4], 2)[1]
    region = Region(np.zeros(2), np.ones(2))
    found = propose(known, above, region, asked=spread, pending=NOTHING, count=1, rng=np.random.default_rng(4))
    assert region.contains(found).all()


def test_a_constant_without_noise_is_no_obstacle(spread):
    known = parabolas(spread, 2)
    known[0] = Measured(spread, np.ones(len(spread)), np.zeros(len(spread)))
    region = Region(np.zeros(2), np.ones(2))
    found = propose(known, above, region, asked=spread, pending=NOTHING, count=1, rng=np.random.default_rng(5))
    assert np.isfinite(found).all()


def test_rays_promise_what_boxes_promise(spread, monkeypatch):
    points = [torch.as_tensor(rows) for rows in (spread, NOTHING)]
    targets = [(torch.as_tensor(known.values)[:, None] + 0.5) / 0.3 for known in parabolas(spread, 2)]
    noise = torch.full((len(spread), 1), 1e-3, dtype=torch.double)
    model = ModelListGP(*(SingleTaskGP(points[0], y, noise, outcome_transform=None) for y in targets)).eval()
    anywhere = torch.as_tensor(Region(np.zeros(2), np.ones(2)).sample(32, np.random.default_rng(0)))[:, None]

    def promised():
        with torch.no_grad():
            return promise.promise(model, lambda z: z + 2.0, *points, 2, seed=0)[0](anywhere).exp().numpy()

    boxes = promised()
    monkeypatch.setattr(promise, "_DRAWS", {})
    rays = np.pi / 4 * promised()  # a quarter of the circle's area
    assert np.abs(rays - boxes).max() < 0.2 * boxes.max()
    assert np.corrcoef(rays, boxes)[0, 1] > 0.95


def test_a_process_that_cannot_be_fitted_is_what_its_priors_say(spread, monkeypatch):
    def give_up(likelihood):
        raise ModelFittingError("no")

    monkeypatch.setattr(acquisition, "fit_gpytorch_mll", give_up)
    region = Region(np.zeros(2), np.ones(2))
    found = propose(
        parabolas(spread, 1), above, region, asked=spread, pending=NOTHING, count=1, rng=np.random.default_rng(1)
    )
    assert np.abs(found - [1.0, 0.0]).max() < 0.3


def test_same_generator_same_bits_whatever_torch_drew(spread):
    region = Region(np.zeros(2), np.ones(2))

    def once():
        return propose(
            parabolas(spread, 2),
            above,
            region,
            asked=spread,
            pending=spread[:1] + 0.01,
            count=2,
            rng=np.random.default_rng(6),
        )

    first = once()
    torch.rand(3)
    state = torch.random.get_rng_state()
    assert once().tobytes() == first.tobytes()
    assert torch.equal(torch.random.get_rng_state(), state)
