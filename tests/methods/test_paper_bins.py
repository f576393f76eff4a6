"""The adaptive sampling of the paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.config.model import Expert
from mapmerge.designs.sphere import bins_per_angle
from mapmerge.errors import ConfigError
from mapmerge.history import History
from mapmerge.methods.paper_bins import PaperBins, bin_scores, bins_of, draw_in_bins
from mapmerge.methods.protocol import Brief

METHOD = {"method": "bayesian-paper"}


def parameters(k: int) -> int:
    return (k + 1) * (k + 2) // 2


def search(world, study) -> None:
    while (question := study.ask()) is not None:
        study.tell(question, world.measure(question))


def updates(study, objective):
    """Return what was asked about one objective after the first round."""
    return np.array(
        [each.coefficients for each in study.history.evaluations if each.objective == objective][
            study.method._opening :
        ]
    )


@settings(max_examples=12, deadline=None)
@given(
    k=st.integers(1, 4),
    seed=st.integers(0, 2**32),
    more=st.integers(0, 30),
    items=st.sampled_from(["auto", 20]),
    mass=st.sampled_from([None, (0.0, 0.5)]),
    fails=st.booleans(),
)
def test_every_objective_spends_the_budget_on_its_own_updates(make_world, k, seed, more, items, mass, fails):
    def unlucky(row, name, split):
        merged = not np.isin(row, (0.0, 1.0)).all()  # base and experts never fail: a surrogate needs two candidates
        return fails and merged and name == "y" and int(row.sum() * 1e6) % 7 == 0

    world = make_world(k=k, fails=unlucky)
    sections = {
        **METHOD,
        "seed": seed,
        "budget": {"evaluations": parameters(k) + more},
        "sampling": {"items": items},
        "design": {"mass": mass},
        "compute": {"max_failed_fraction": 1.0},
    }
    study, twin = world.study(**sections), world.study(**sections)
    while (question := study.ask()) is not None:
        again = twin.ask()
        assert again.coefficients.tobytes() == question.coefficients.tobytes()
        if question.name == "design":
            assert question.blind
        else:
            assert all(len(wanted) == 1 for wanted in question.wanted)
        answers = world.measure(question)
        study.tell(question, answers)
        twin.tell(again, answers[::-1])
    brief, history = study.brief, study.history
    each = 20 if items == 20 else 50
    total = brief.budget // (2 * each)
    assert brief.spent(history) == total * 2 * each
    assert len(history) <= 5
    surfaces = study.fit()
    for name, surrogate in zip("zy", surfaces.surrogates, strict=True):
        asked = [evaluation for evaluation in history.evaluations if evaluation.objective == name]
        assert len(asked) == total
        lost = sum(evaluation.error is not None for evaluation in asked)
        assert len(surrogate.measured) == total - lost  # no evaluation is paid for and not fitted
        new = updates(study, name)
        if len(new):
            assert surfaces.region.contains(new).all()
            assert (new >= 0).all()
            lengths = np.linalg.norm(new, axis=1)
            assert ((lengths > 0.2 - 1e-12) & (lengths < 0.8 + 1e-12)).all()
    assert len(np.unique(np.vstack([done.question.coefficients for done in history.rounds]), axis=0)) == (
        study.method._opening + 2 * (total - study.method._opening)
    )
    assert surfaces.to_json() == twin.fit().to_json()


def test_rounds_and_what_is_delivered(make_world):
    world = make_world(k=3)
    study = world.study(**METHOD, budget={"evaluations": 31, "front": 7}, search={"kind": "nsga3"})
    surfaces, final = world.finish(study)
    sizes = {done.question.name: len(done.question.coefficients) for done in study.history.rounds}
    assert sizes == {"design": 16, "round-1": 8, "round-2": 8, "round-3": 8, "round-4": 6}
    assert study.history.observations.whole.sum() == 16
    delivered = final.sets["delivered"]
    assert 1 <= len(delivered) <= 7
    assert surfaces.region.contains(delivered).all()
    truth = np.array([[world.score(row, index) for index in range(2)] for row in delivered])
    assert surfaces.scores(delivered) == pytest.approx(truth, abs=0.1)


def test_the_study_may_say_how_many_candidates_come_first(make_world):
    world = make_world()
    study = world.study(**METHOD, budget={"evaluations": 30}, design={"points": 22})
    assert len(study.ask().coefficients) == 22


def test_one_expert_has_one_bin(make_world):
    world = make_world(k=1)
    study = world.study(**METHOD, budget={"evaluations": 20})
    search(world, study)
    new = updates(study, "z")
    assert new.shape == (10, 1)
    assert (bins_of(new) == 0).all()
    assert len(world.finish(world.study(**METHOD))[1].sets["delivered"]) >= 1


def test_more_than_six_experts_are_refused(make_world):
    study = make_world(k=6).study(**METHOD)
    seventh = Expert(name="e6", checkpoint="e6")
    config = study.config.model_copy(update={"experts": [*study.config.experts, seventh]})
    with pytest.raises(ConfigError, match=r"at most 6 experts.*take `method: adaptive`"):
        PaperBins(Brief(config, study.objectives, study.items, study.held_out))


@settings(max_examples=20, deadline=None)
@given(k=st.integers(1, 6), seed=st.integers(0, 2**32))
def test_what_is_drawn_in_a_bin_lies_in_that_bin(k, seed):
    rng = np.random.default_rng(seed)
    bins = rng.integers(bins_per_angle(k) ** (k - 1), size=50)
    candidates = draw_in_bins(bins, k, rng)
    assert candidates.shape == (50, k)
    assert bins_of(candidates).tolist() == bins.tolist()


def test_the_last_expert_alone_lies_in_the_last_bin():
    assert bins_of(np.eye(3)).tolist() == [0, 3, 15]


def test_an_empty_bin_counts_as_the_worst_one():
    scores = bin_scores(np.array([3, 3, 1, -1]), np.array([0.1, 0.3, 0.9, 5.0]), 4)
    assert scores == pytest.approx([0.9, 0.9, 0.9, 0.25])
    assert bin_scores(np.array([-1]), np.array([1.0]), 4).tolist() == [0.0] * 4


def test_empty_bins_are_explored(make_world):
    world = make_world(k=3)
    study = world.study(**METHOD, budget={"evaluations": 40})
    first = study.ask()
    study.tell(first, world.measure(first))
    empty = set(range(16)) - set(bins_of(first.coefficients).tolist())
    assert empty
    search(world, study)
    for name in "zy":
        assert empty & set(bins_of(updates(study, name)).tolist())


def test_updates_go_where_the_surrogate_errs(make_world):
    world = make_world()
    smooth = world.score

    def score(row, index):
        wild = index == 0 and bins_of(row[None])[0] == 3
        return 0.5 + 0.4 * np.sin(60 * row.sum()) if wild else smooth(row, index)

    world.score = score
    study = world.study(**METHOD, budget={"evaluations": 80})
    search(world, study)
    share = {name: np.mean(bins_of(updates(study, name)) == 3) for name in "zy"}
    assert share["z"] > 0.5
    assert share["y"] < 0.5


def test_the_region_grows_to_hold_the_updates(make_world):
    world = make_world()
    study = world.study(**METHOD, budget={"evaluations": 24}, design={"mass": (0.0, 0.3)})
    search(world, study)
    region = study.fit().region
    sums = np.vstack([updates(study, name) for name in "zy"]).sum(axis=1)
    assert region.mass == (0.0, sums.max())
    assert sums.max() > 0.3


def test_another_history_has_other_updates(make_world):
    world, other = make_world(), make_world(rough=frozenset({"z"}))
    study = world.study(**METHOD, budget={"evaluations": 30})
    first = study.ask()
    rounds = [
        study.method.ask(History(study.brief.names).told(first, which.measure(first)), ()) for which in (world, other)
    ]
    mine, theirs = (asked.coefficients.reshape(2, -1, 2) for asked in rounds)
    assert (mine[0] != theirs[0]).any()
    assert (mine[1] == theirs[1]).all()  # each objective has its own updates
