"""Rounds and streams of rounds: the study is told everything it asked, whatever finishes first; and what is retried."""

from dataclasses import dataclass

import numpy as np
import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from mapmerge.errors import FailedRunError, MissingFileError
from mapmerge.methods.protocol import Brief
from mapmerge.methods.surfaces import fit_surfaces
from mapmerge.records import Question
from mapmerge.sampling.draw import draw
from tasks.measure import is_transient, measure_round, measure_stream
from tasks.pool import Finished, open_pool
from tasks.prepare import prepare, reopen
from tasks.progress import listening
from tasks.resident import Resident
from tasks.serial import SerialPool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

PEAKS = {"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}}


@pytest.mark.parametrize(
    ("problem", "tries"), [(ConnectionResetError, 3), (FailedRunError, 1), (MissingFileError, 1), (ValueError, 1)]
)
def test_only_a_stumbling_store_is_asked_again(problem, tries):
    asked = []

    @task(cache_policy=NO_CACHE, retries=2, retry_condition_fn=is_transient)
    def ask():
        asked.append(problem)
        raise problem("away")

    @flow
    def keep_asking():
        ask()

    with pytest.raises(problem):
        keep_asking()
    assert len(asked) == tries


class OutOfOrder:
    """A pool of one process that has several pieces of work in flight and finishes any of them."""

    actors = 3

    def __init__(self, blueprint, seed):
        self._resident, self._rng, self.asked_in_vain = Resident(blueprint), np.random.default_rng(seed), 0

    def run(self, work):
        source, out = iter(work), []
        while True:
            while len(out) < self.actors and (piece := next(source, None)) is not None:
                out.append(piece)
            self.asked_in_vain += len(out) < self.actors
            if not out:
                return
            piece = out.pop(self._rng.integers(len(out)))
            measured = self._resident.measure(piece.coefficients, piece.split, piece.wanted)
            yield Finished(piece, measured, len(out))


@dataclass(frozen=True, eq=False)
class Climber:
    """Asks for one or two candidates near the best one that it may know of, three questions at a time."""

    brief: Brief
    overlap = 3

    def ask(self, history, pending):
        number = len(history) + len(pending)
        if number == 11:
            return None
        rng = self.brief.rng("climb", number)
        rows = rng.uniform(size=(1 + number % 2, 2))
        seen = history.observations
        if seen.whole.any():
            rows = seen.coefficients[np.nanargmax(seen.scores.sum(axis=1))] + 0.2 * (rows - 0.5)
        wanted = tuple({name: draw(16, None, rng, size=64) for name in self.brief.names} for _ in rows)
        return Question(f"round-{number + 1}", "search", np.vstack([rows, np.zeros((1, 2))]), (*wanted, {"z": None}))

    def fit(self, history):
        return fit_surfaces(self.brief, history, self.brief.first(6).region)


def streaming(study, output, run_id):
    run = prepare.fn(str(study), str(output), run_id, ["budget.evaluations=9"])
    run.study.method = Climber(run.study.brief)
    return run


def stream(run, pool):
    """Measure a stream in a flow; returns what it cost."""
    return flow(lambda: measure_stream(run, pool), name="streaming")()


def told(run):
    """All that a study was told, without the keys' order of arrival."""
    return {
        done.question.name: [
            (each.key, each.coefficients.tobytes(), each.objective, each.outcomes.tobytes())
            for each in done.evaluations
        ]
        for done in run.study.rounds
    }


@pytest.fixture
def study(probe_family):
    return probe_family(objectives=PEAKS)


def test_a_stream_asks_the_same_whatever_finishes_first(study, tmp_path):
    serial = streaming(study, tmp_path / "serial", "one")
    cost = stream(serial, SerialPool(serial.blueprint))
    assert sorted(told(serial), key=lambda name: int(name.removeprefix("round-"))) == [
        f"round-{number}" for number in range(1, 12)
    ]
    # Sixteen candidates on two objectives, and the base on one, again and again.
    assert (cost.paid, cost.reused, cost.failed) == (2 * 16 + 1, 0, 0)
    orders = {tuple(told(serial))}
    for seed in range(3):
        mixed = streaming(study, tmp_path / f"mixed-{seed}", "one")
        pool = OutOfOrder(mixed.blueprint, seed)
        assert stream(mixed, pool) == cost
        assert told(mixed) == told(serial)
        orders.add(tuple(told(mixed)))
        assert pool.asked_in_vain  # there were moments when the study had to hear of an answer first
        assert mixed.study.pending == ()
    assert len(orders) > 1


def test_what_several_questions_ask_is_measured_once(study, tmp_path):
    run = streaming(study, tmp_path, "one")
    pool, measured = OutOfOrder(run.blueprint, 0), []

    class Counting:
        actors = pool.actors

        def run(self, work):
            for finished in pool.run(work):
                measured.extend((finished.work.coefficients.tobytes(), name) for name in finished.work.wanted)
                yield finished

    stream(run, Counting())
    assert measured.count((np.zeros(2).tobytes(), "z")) == 1
    assert len(measured) == 33


def test_a_stream_that_stopped_goes_on_from_the_ledger(study, tmp_path):
    run = streaming(study, tmp_path, "one")

    class Dies(SerialPool):
        def run(self, work):
            for number, finished in enumerate(super().run(work)):
                if number == 7:
                    raise MissingFileError("the disk is gone")
                yield finished

    with pytest.raises(MissingFileError):
        stream(run, Dies(run.blueprint))
    kept = len(list((tmp_path / "evaluations").rglob("*.json")))
    assert kept
    pending = run.study.pending
    assert pending
    # In the same process, as after a store that stumbled: questions that were out are not lost.
    again = stream(run, SerialPool(run.blueprint))
    # In another one, where the study knows nothing yet.
    other = reopen.fn(run.uri, [])
    other.study.method = Climber(other.study.brief)
    assert stream(other, SerialPool(other.blueprint)) == again
    fresh = streaming(study, tmp_path / "fresh", "one")
    stream(fresh, SerialPool(fresh.blueprint))
    assert told(run) == told(other) == told(fresh)


def test_a_stream_is_one_progress_of_the_budget(study, tmp_path):
    run = streaming(study, tmp_path, "one")
    events = []
    with listening(events.append):
        stream(run, OutOfOrder(run.blueprint, 0))
    assert {event.stage for event in events} == {run.config.method}
    assert {event.total for event in events} == {9}
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[-1] == (32 * 16 + 64) // 128
    assert max(event.in_flight for event in events) == 2
    assert [event.ended for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1].hypervolume is not None
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["probe-progress"])))
    newest = max(found, key=lambda artifact: artifact.created)
    assert (newest.description, newest.data) == (f"{run.config.method}: 9 evaluations", 100.0)
    assert [event["payload"]["paid"] for event in run.folder.events()] == [33]


def test_a_stream_ends_when_too_much_fails(probe_family, tmp_path):
    study = probe_family(objectives={"z": PEAKS["z"], "a": {**PEAKS["a"], "trouble": "error", "above": 0.0}})
    run = streaming(study, tmp_path, "one")
    with pytest.raises(FailedRunError, match="cannot measure"):
        stream(run, OutOfOrder(run.blueprint, 0))


def test_ray_streams_like_one_process(study, tmp_path, local_ray):
    runs = [streaming(study, tmp_path / name, "one") for name in ("serial", "ray")]
    stream(runs[0], SerialPool(runs[0].blueprint))
    compute = runs[1].config.compute.model_copy(update={"executor": "ray", "actors": 2, "num_cpus": 0.25})
    with open_pool(compute, runs[1].blueprint) as pool:
        stream(runs[1], pool)
    assert told(runs[1]) == told(runs[0])


def test_a_round_may_want_little_of_some_candidates(study, tmp_path):
    run = prepare.fn(str(study), str(tmp_path), "one", [])
    rows = np.array([[0.0, 0.0], [0.3, 0.3], [0.3, 0.3], [0.6, 0.1]])
    sample = draw(16, None, np.random.default_rng(0), size=64)
    question = Question("some", "search", rows, ({"z": sample}, {"z": sample}, {"z": sample, "a": None}, {}))
    events, heard = [], []
    run.study.tell = lambda asked, evaluations: heard.extend(evaluations)

    def measured():
        with listening(events.append):
            return flow(lambda: measure_round(run, SerialPool(run.blueprint), question), name="round")()

    summary = measured()
    assert (summary.paid, summary.reused, summary.failed) == (3, 0, 0)
    assert [(each.coefficients.tolist(), each.objective, each.items) for each in heard] == [
        ([0.0, 0.0], "z", 16),
        ([0.3, 0.3], "z", 16),
        ([0.3, 0.3], "a", 64),
    ]
    assert [(event.done, event.total) for event in events] == [(0, 2), (1, 2), (2, 2), (2, 2)]
    assert events[-1].hypervolume is None  # nothing was measured on every objective, as far as the study knows
    question = Question("none", "search", rows[:1], ({},))
    assert measured().paid == 0
    question = Question("one objective", "search", rows, ({"a": sample},) * 4)
    assert measured().paid == 3
