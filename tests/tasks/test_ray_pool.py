"""The pool of Ray actors: whatever happens to an actor, every candidate comes back exactly once."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ray
from ray.exceptions import RpcError

from mapmerge.config import read_study
from mapmerge.config.sections import Compute
from mapmerge.errors import FailedRunError, RunError
from mapmerge.sampling.draw import draw
from tasks.inputs import freeze, open_inputs
from tasks.pool import Work, open_pool
from tasks.ray_pool import RayPool
from tasks.resident import Blueprint
from tasks.serial import SerialPool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]

PEAK = {"peak": [0.5, 0.5]}
BAD = {**PEAK, "above": 0.9}
"""In trouble are only candidates whose first coefficient is above 0.9."""

OBJECTIVES = {
    "calm": PEAK,
    "slow": {**PEAK, "seconds": 0.05},
    "dies-once": {**BAD, "trouble": "die once"},
    "dies": {**BAD, "trouble": "die"},
    "hangs-once": {**BAD, "trouble": "hang once"},
    "errs": {**BAD, "trouble": "error"},
}
COMPUTE = Compute(actors=2, num_cpus=0.25, timeout_s=5, attempts=2, max_in_flight=4)
"""Of a pool that lives through this module; it leaves room for others beside it."""

UNLUCKY = np.array([0.95, 0.25])


@pytest.fixture(scope="module")
def plan(write_probe_family, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    study = write_probe_family(folder / "probe", objectives=OBJECTIVES)
    return Blueprint(read_study(study).model_dump(mode="json"), str(study.parent))


@pytest.fixture(scope="module")
def pool(plan):
    with open_pool(COMPUTE, plan) as opened:
        yield opened


@pytest.fixture(scope="module")
def truth(plan):
    """The outcomes of calm candidates, as the serial executor has them."""
    serial = SerialPool(plan)

    def measure(work):
        (finished,) = serial.run([Work(work.coefficients, work.split, {"calm": None})])
        return finished.measured[0].outcomes.tobytes()

    return measure


@pytest.fixture
def work(works):
    """Twelve candidates of an objective, the fourth of them the unlucky one."""

    def make(objective, split="search"):
        lucky = [Work(piece.coefficients * 0.9, split, {objective: None}) for piece in works(11, split=split)]
        return [*lucky[:3], Work(UNLUCKY, split, {objective: None}), *lucky[3:]]

    return make


def once_each(finished, work):
    """Check that all the work came back, once, and return what came of the unlucky piece."""
    assert sorted(id(one.work) for one in finished) == sorted(map(id, work))
    (unlucky,) = [one for one in finished if one.work.coefficients is UNLUCKY]
    others = [one for one in finished if one is not unlucky]
    assert all(one.measured[0].error is None for one in others)
    assert all(one.attempts == 1 for one in others)  # nobody else pays for it
    return unlucky


@pytest.mark.parametrize("split", ["search", "held_out"])
def test_every_candidate_comes_back_once_with_the_outcomes_of_the_serial_executor(pool, work, truth, split):
    asked = work("calm", split)
    finished = list(pool.run(asked))
    assert once_each(finished, asked).attempts == 1
    assert all(one.measured[0].outcomes.tobytes() == truth(one.work) for one in finished)
    assert finished[-1].in_flight == 0
    assert max(one.in_flight for one in finished) < COMPUTE.max_in_flight
    assert list(pool.run([])) == []


def test_an_actor_that_is_killed_is_replaced_and_its_candidate_tried_again(pool, work, truth):
    asked = work("dies-once")
    unlucky = once_each(list(pool.run(asked)), asked)
    assert unlucky.attempts == 2
    assert unlucky.measured[0].outcomes.tobytes() == truth(unlucky.work)
    again = list(pool.run(asked))
    assert once_each(again, asked).attempts == 1
    assert len(pool._seats) == 2


def test_a_candidate_that_always_kills_its_actor_is_given_up_and_the_others_survive(pool, work):
    asked = work("dies")
    unlucky = once_each(list(pool.run(asked)), asked)
    assert unlucky.attempts == COMPUTE.attempts
    assert unlucky.measured[0].outcomes is None
    assert unlucky.measured[0].error.startswith("failed 2 times, last because its actor died: ")


def test_a_candidate_that_takes_too_long_is_tried_elsewhere(pool, work, truth):
    asked = work("hangs-once")
    unlucky = once_each(list(pool.run(asked)), asked)
    assert unlucky.attempts == 2
    assert unlucky.measured[0].outcomes.tobytes() == truth(unlucky.work)


def test_an_error_of_an_evaluator_is_a_record_and_costs_no_actor(pool, work):
    asked = work("errs")
    actors = [seat.actor for seat in pool._seats]
    unlucky = once_each(list(pool.run(asked)), asked)
    assert unlucky.attempts == 1
    assert unlucky.measured[0].error == "RuntimeError: cannot measure [0.95, 0.25]"
    assert [seat.actor for seat in pool._seats] == actors


def test_whoever_stops_early_gets_no_old_answers_later(pool, work, works):
    abandoned = pool.run(work("slow"))
    next(abandoned)
    asked = works(8, "slow", seed=1)
    running = pool.run(asked)
    finished = [next(running)]
    abandoned.close()  # as the garbage collector does, whenever it likes
    finished += running
    assert sorted(id(one.work) for one in finished) == sorted(map(id, asked))


def test_answers_that_wait_to_be_collected_are_not_late(pool, work):
    asked = work("calm")
    running = pool.run(asked)
    finished = [next(running)]
    time.sleep(COMPUTE.timeout_s + 0.5)  # a store that is slow to write to, for example
    finished += running
    assert once_each(finished, asked).attempts == 1


def test_work_is_asked_for_only_when_there_is_room_and_again_when_something_has_finished(pool, works):
    pieces, log = works(7, "calm"), []

    def source():
        for number, piece in enumerate(pieces):
            if number == 3:
                for _ in range(2):
                    log.append(("waits", len(log)))
                    yield None
            log.append(("asked", number))
            yield piece
        log.append(("asked", "in vain"))

    finished = []
    for one in pool.run(source()):
        finished.append(one)
        asked = [number for word, number in log if word == "asked"]
        assert len(asked) - len(finished) <= COMPUTE.max_in_flight
    assert sorted(id(one.work) for one in finished) == sorted(map(id, pieces))
    waits = [place for place, (word, _) in enumerate(log) if word == "waits"]
    assert waits == [3, 4]
    assert log[:3] == [("asked", 0), ("asked", 1), ("asked", 2)]


def test_nothing_at_the_moment_is_the_end_when_nothing_is_in_flight(pool, works):
    (piece,) = works(1, "calm")
    asked = []

    def source():
        for number, one in enumerate([piece, None, None, piece]):
            asked.append(number)
            yield one

    assert [one.work for one in pool.run(source())] == [piece]
    assert asked == [0, 1, 2]  # while the piece was in flight, and when it was not
    assert list(pool.run(iter([None, piece]))) == []


def test_samples_reach_the_actors(pool, works):
    (work,) = works(1, "calm")
    sample = draw(9, np.arange(64.0), np.random.default_rng(0), size=64)
    (whole,) = pool.run([work])
    (part,) = pool.run([Work(work.coefficients, "search", {"calm": sample, "slow": None})])
    assert part.measured[0].outcomes.tobytes() == whole.measured[0].outcomes[sample.items].tobytes()
    assert len(part.measured[1].outcomes) == 64


def test_no_more_is_handed_out_than_was_allowed(plan, works):
    with open_pool(Compute(actors=2, num_cpus=0.25, max_in_flight=1), plan) as pool:
        assert [one.in_flight for one in pool.run(works(4, "calm"))] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        ({"num_cpus": 64}, "1 actor with num_cpus=64, num_gpus=0 cannot be had, the cluster has 2 CPU, 0 GPU"),
        ({"num_gpus": 0.5}, "num_gpus=0.5 cannot be had, the cluster has 2 CPU, 0 GPU"),
        ({"actors": 3}, "3 actors with num_cpus=1, num_gpus=0 cannot be had, the cluster has 2 CPU"),
        ({"actors": 1, "num_cpus": 64}, "the cluster has 2 CPU"),
    ],
)
def test_resources_that_are_not_there(plan, compute, words):
    with pytest.raises(FailedRunError, match=words):
        RayPool(Compute(**compute), plan)
    assert ray.is_initialized()  # it was not this pool that started Ray


def test_a_cluster_that_is_gone_ends_the_run_in_words(plan, work, monkeypatch):
    def refused(pool):
        raise RpcError("WrongClusterID: Perhaps the client is accessing GCS after it has restarted.")

    with open_pool(COMPUTE, plan) as pool:
        monkeypatch.setattr(RayPool, "_new_actor", refused)
        with pytest.raises(
            FailedRunError, match=r"the Ray cluster failed: RpcError: .*WrongClusterID.* `mapmerge resume`"
        ):
            list(pool.run(work("dies")))


def test_an_actor_that_cannot_start_says_why(plan, tmp_path):
    broken = Blueprint({**plan.config, "base": "nowhere"}, plan.root)
    with pytest.raises(FailedRunError, match=r"an actor could not start: .*nowhere: there is no such checkpoint"):
        RayPool(COMPUTE, broken)


def test_an_actor_of_another_version_does_not_start(plan):
    other = replace(plan, versions={**plan.versions, "torch": "1.0"})
    with pytest.raises(FailedRunError, match=r"could not start: .* has torch .*, but the run is driven with 1\.0"):
        RayPool(COMPUTE, other)


def test_other_items_than_the_runs_end_it(plan, works):
    study = plan.study()
    inputs = freeze(study, Path(plan.root), open_inputs(study, Path(plan.root)))["inputs"]
    inputs["evaluators"]["calm"]["search"]["identity"] = {"items": "others"}
    words = "objective 'calm', search: is not what it was when the run began"
    with open_pool(COMPUTE, replace(plan, inputs=inputs)) as pool, pytest.raises(RunError, match=words):
        list(pool.run(works(1, "calm")))


def test_real_models_give_the_same_bits_on_every_executor(digits_family, blueprint, works):
    plan = blueprint(digits_family / "study.yaml")
    work = works(6, "upright", "reversed") + works(6, "reversed", "upright", split="held_out")

    def outcomes(compute):
        with open_pool(compute, plan) as pool:
            found = {id(one.work): one.measured for one in pool.run(work)}
        return [[(one.objective, one.outcomes.tobytes()) for one in found[id(piece)]] for piece in work]

    serial = outcomes(Compute(executor="serial"))
    assert outcomes(Compute(actors=1, num_cpus=0.5)) == serial
    assert outcomes(Compute(actors=2, num_cpus=0.5)) == serial
