"""An evaluator that is not deterministic is measured again and again, and a reader is told how much it scatters."""

import numpy as np
import pytest

from mapmerge.answer.result import answer
from mapmerge.records import Evaluation
from mapmerge.study import Study


@pytest.fixture
def world(make_world):
    """A world in which objective z comes out differently each time."""
    world = make_world()
    measure, rng = world.measure, np.random.default_rng(0)

    def shaken(each: Evaluation) -> Evaluation:
        if each.objective != "z" or each.outcomes is None:
            return each
        drawn = (rng.random(len(each.outcomes)) < each.score).astype(np.float32)
        return Evaluation(each.key, each.coefficients, "z", each.split, drawn, sample=each.sample)

    world.measure = lambda question: [shaken(each) for each in measure(question)]
    return world


def test_the_scatter_of_repeats_is_said(world):
    steady = world.study()
    assert steady.ask_repeats() == []
    study = Study(steady.config, steady.objectives, steady.items, steady.held_out, ("z",))
    for question in study.ask_repeats():
        assert [(name, sample) for _, name, sample in question.requests("zy")] == [("z", None)]
        study.tell(question, world.measure(question))
    surfaces, final = world.finish(study)
    scatter = study.repeat_scatter()
    assert set(scatter) == {"z"}
    assert 0.02 < scatter["z"] < 0.2  # about sqrt(0.6 * 0.4 / 50)
    said = [warning for warning in answer(study, surfaces, final)["warnings"] if "not deterministic" in warning]
    assert len(said) == 1
    assert "'z'" in said[0]


def test_repeats_are_no_part_of_the_search(world):
    steady = world.study()
    study = Study(steady.config, steady.objectives, steady.items, steady.held_out, ("z",))
    for question in study.ask_repeats():
        study.tell(question, world.measure(question))
    assert len(study.history) == 0
    assert study.ask().coefficients.tobytes() == steady.ask().coefficients.tobytes()
