"""One pool for several threads: each gets its own results, all get their turn, and nobody waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Queue

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.config.sections import Compute
from mapmerge.errors import BadInputError, FailedRunError
from tasks.pool import Finished, Work
from tasks.progress import Progress, listening, report
from tasks.ray_pool import RayPool
from tasks.serial import SerialPool
from tasks.shared_pool import SharedPool

PATIENCE_S = 20
"""How long a test waits for what must come; nothing that passes ever waits so long."""


class ByHand:
    """An inner pool with `room` pieces in flight, where the test says which of them finishes, or what goes wrong."""

    def __init__(self, actors, room=None):
        self.actors, self._room = actors, room or actors
        self.taken, self.next, self.runs, self.closed = Queue(), Queue(), 0, False
        self.threads, self.is_running, self.asked_in_vain = set(), False, threading.Event()

    def run(self, work):
        source, out = iter(work), []
        self.runs += 1
        self.threads.add(threading.get_ident())
        self.is_running = True
        try:
            while True:
                while len(out) < self._room and (piece := next(source, None)) is not None:
                    out.append(piece)
                    self.taken.put(piece)
                if not out:
                    return
                if len(out) < self._room:
                    self.asked_in_vain.set()
                told = self.next.get(timeout=PATIENCE_S)
                if isinstance(told, Exception):
                    raise told
                out.remove(told)
                yield Finished(told, [], len(out))
        finally:
            self.is_running = False

    def close(self):
        assert not self.is_running
        self.closed = True

    def takes(self, count):
        """Wait until so many more pieces are in flight, and return them."""
        return [self.taken.get(timeout=PATIENCE_S) for _ in range(count)]


class Shuffled:
    """An inner pool that finishes whatever it likes of what is in flight."""

    def __init__(self, actors, room, seed):
        self.actors, self._room, self._rng = actors, room, np.random.default_rng(seed)

    def run(self, work):
        source, out = iter(work), []
        while True:
            while len(out) < self._room and (piece := next(source, None)) is not None:
                out.append(piece)
            if not out:
                return
            yield Finished(out.pop(self._rng.integers(len(out))), [], len(out))

    def close(self):
        pass


@contextmanager
def shared_by_threads(inner):
    """Share a pool, give threads to run clients in, and check that closing leaves no dispatcher behind."""
    shared = SharedPool(inner)
    with ThreadPoolExecutor(8) as threads:
        try:
            yield shared, threads
        finally:
            shared.close()
    assert not shared._dispatcher.is_alive()


def until(shared, condition):
    """Wait until something is so of the clients of a pool."""
    with shared._changed:
        assert shared._changed.wait_for(lambda: condition(shared._clients), PATIENCE_S)


def pieces(count):
    return [Work(np.full(2, float(number)), "search", {"calm": None}) for number in range(count)]


def pieces_of(finished):
    return [one.work for one in finished]


def is_same(some, others):
    return sorted(map(id, some)) == sorted(map(id, others))


def collect(shared, work):
    return list(shared.run(work))


def result(future):
    return future.result(timeout=PATIENCE_S)


@given(
    clients=st.lists(st.lists(st.booleans(), max_size=9), min_size=1, max_size=6),
    actors=st.integers(1, 4),
    room=st.integers(1, 5),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_each_of_any_clients_gets_exactly_its_own_pieces(clients, actors, room, seed):
    def source(client, out):
        for waits, piece in client:
            while waits and out:  # the work of one piece at a time
                yield None
            out.add(id(piece))
            yield piece

    def iterate(client):
        out, finished = set(), []
        for one in shared.run(source(client, out)):
            out.remove(id(one.work))
            finished.append(one)
            assert 0 <= one.in_flight <= len(out)
        assert not out
        return finished

    with shared_by_threads(Shuffled(actors, room, seed)) as (shared, threads):
        work = [list(zip(waits, pieces(len(waits)), strict=True)) for waits in clients]
        futures = [threads.submit(iterate, client) for client in work]
        for client, future in zip(work, futures, strict=True):
            assert is_same(pieces_of(result(future)), [piece for _, piece in client])
        assert not shared._clients
        assert not shared._flying


def test_clients_take_turns():
    inner, one, other = ByHand(actors=4, room=1), pieces(4), pieces(3)
    with shared_by_threads(inner) as (shared, threads):
        futures = [threads.submit(collect, shared, one)]
        order = inner.takes(1)
        futures.append(threads.submit(collect, shared, other))
        until(shared, lambda clients: [len(client.queue) for client in clients] == [3, 3])
        while len(order) < 7:
            inner.next.put(order[-1])
            order += inner.takes(1)
        inner.next.put(order[-1])
        assert [pieces_of(result(future)) for future in futures] == [one, other]
    owners = "".join("a" if piece in one else "b" for piece in order[1:])
    assert owners in ("ababab", "bababa")
    assert inner.runs == 1


def test_results_come_as_they_finish_and_say_what_the_client_has_in_flight():
    inner, one, other = ByHand(actors=4), pieces(3), pieces(1)
    with shared_by_threads(inner) as (shared, threads):
        first = threads.submit(collect, shared, one)
        inner.takes(3)
        assert inner.asked_in_vain.wait(PATIENCE_S)
        second = threads.submit(collect, shared, other)
        until(shared, lambda clients: any(client.queue for client in clients))
        inner.next.put(one[2])  # only now does the inner pool ask again
        assert inner.takes(1) == other
        for piece in (one[0], other[0], one[1]):
            inner.next.put(piece)
        finished = result(first)
        assert pieces_of(finished) == [one[2], one[0], one[1]]
        assert [each.in_flight for each in finished] == [2, 1, 0]
        assert [each.in_flight for each in result(second)] == [0]
    assert len(inner.threads) == 1


def test_whoever_comes_when_all_is_done_is_served_again():
    inner = ByHand(actors=2)
    with shared_by_threads(inner) as (shared, threads):
        for number in range(3):
            work = pieces(1)
            future = threads.submit(collect, shared, work)
            inner.next.put(inner.takes(1)[0])
            assert pieces_of(result(future)) == work
            assert inner.runs == number + 1
        assert collect(shared, []) == collect(shared, [None, *pieces(2)]) == []
        assert shared.actors == 2


def test_work_is_asked_for_in_the_thread_of_the_client_and_not_far_ahead():
    inner, work, asked = ByHand(actors=2, room=1), pieces(9), []

    def source():
        for piece in work:
            asked.append(threading.get_ident())
            yield piece

    def iterate():
        return pieces_of(shared.run(source())), threading.get_ident()

    with shared_by_threads(inner) as (shared, threads):
        future = threads.submit(iterate)
        for finished, piece in enumerate(work):
            assert inner.takes(1) == [piece]
            assert len(asked) <= finished + 1 + inner.actors
            inner.next.put(piece)
        found, thread = result(future)
    assert found == work
    assert set(asked) == {thread}


def test_work_that_gives_nothing_is_asked_again_after_a_result_of_its_own():
    inner, one, other, heard = ByHand(actors=3, room=2), pieces(2), pieces(3), Queue()

    def waits():
        yield one[0]
        heard.put("nothing")
        yield None
        heard.put("again")
        yield one[1]

    def listen(work):
        for finished in shared.run(work):
            heard.put(finished.work)

    def hear():
        return heard.get(timeout=PATIENCE_S)

    with shared_by_threads(inner) as (shared, threads):
        futures = [threads.submit(listen, other)]
        assert inner.takes(2) == other[:2]
        futures.append(threads.submit(listen, waits()))
        assert hear() == "nothing"
        until(shared, lambda clients: sum(len(client.queue) for client in clients) == 2)
        for piece in other[:2]:
            inner.next.put(piece)
            assert hear() is piece
        assert is_same(inner.takes(2), [other[2], one[0]])
        inner.next.put(other[2])
        assert hear() is other[2]
        inner.next.put(one[0])
        assert [hear(), hear()] == [one[0], "again"]
        assert inner.takes(1) == [one[1]]
        inner.next.put(one[1])
        assert hear() is one[1]
        for future in futures:
            result(future)


@pytest.mark.parametrize("problem", [FailedRunError("no actor was ready"), BadInputError("no such item set")])
def test_a_failure_of_the_inner_pool_reaches_everyone(problem):
    inner = ByHand(actors=2)
    with shared_by_threads(inner) as (shared, threads):
        futures = [threads.submit(collect, shared, pieces(3)) for _ in range(3)]
        inner.takes(2)
        until(shared, lambda clients: len(clients) == 3)
        inner.next.put(problem)
        for future in futures:
            with pytest.raises(type(problem), match=str(problem)):
                result(future)
        with pytest.raises(FailedRunError, match=f"the pool takes no more work: {type(problem).__name__}: {problem}"):
            collect(shared, pieces(1))
    assert inner.closed


def test_results_from_before_a_failure_are_not_lost():
    inner, work = ByHand(actors=2), pieces(2)
    with shared_by_threads(inner) as (shared, _):
        inner.next.put(work[1])
        inner.next.put(FailedRunError("lost"))
        running = shared.run(work)
        finished = next(running)
        shared._dispatcher.join(PATIENCE_S)
        assert finished.work is work[1]
        with pytest.raises(FailedRunError, match="lost"):
            next(running)


def test_a_client_that_fails_fails_alone():
    inner, one, other = ByHand(actors=1), pieces(2), pieces(3)

    def breaks():
        yield one[0]
        raise ZeroDivisionError("of this client")

    with shared_by_threads(inner) as (shared, threads):
        failing = threads.submit(collect, shared, breaks())
        assert inner.takes(1) == [one[0]]
        with pytest.raises(ZeroDivisionError, match="of this client"):
            result(failing)
        future = threads.submit(collect, shared, other)
        for piece in (one[0], *other):
            inner.next.put(piece)
        assert pieces_of(result(future)) == other
        assert inner.takes(3) == other


def test_whoever_stops_early_loses_only_its_own_results():
    inner, one, other = ByHand(actors=3, room=1), pieces(6), pieces(3)
    with shared_by_threads(inner) as (shared, threads):
        running = shared.run(one)
        inner.next.put(one[0])
        assert next(running).work is one[0]
        assert inner.takes(2) == one[:2]
        running.close()  # one piece is in flight, others wait for their turn
        future = threads.submit(collect, shared, other)
        inner.next.put(one[1])
        for piece in other:
            assert inner.takes(1) == [piece]
            inner.next.put(piece)
        assert pieces_of(result(future)) == other


def test_closing_ends_those_who_wait_and_leaves_no_thread():
    inner, work = ByHand(actors=1), pieces(3)
    before = threading.active_count()
    shared = SharedPool(inner)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(collect, shared, work)
        inner.takes(1)
        closing = threads.submit(shared.close)
        with pytest.raises(FailedRunError, match="closed before all its work was measured"):
            result(waiting)
        assert not inner.closed  # its thread may not be disturbed
        inner.next.put(work[0])
        result(closing)
    assert inner.closed
    assert threading.active_count() == before
    with pytest.raises(FailedRunError, match="takes no more work"):
        collect(shared, work)


def test_progress_of_the_inner_pool_reaches_the_listener():
    class Reports(ByHand):
        def run(self, work):
            report(Progress("waiting for an actor"))
            return super().run(work)

    heard, work, inner = [], pieces(1), Reports(actors=1)
    with listening(heard.append), shared_by_threads(inner) as (shared, _):
        inner.next.put(work[0])
        collect(shared, work)
    assert heard == [Progress("waiting for an actor")]


def outcomes(finished, work):
    found = {id(one.work): one.measured[0].outcomes.tobytes() for one in finished}
    return [found[id(piece)] for piece in work]


def check_against_serial(plan, shared, threads, all_work):
    truth = SerialPool(plan)
    expected = [outcomes(truth.run(work), work) for work in all_work]
    futures = [threads.submit(collect, shared, work) for work in all_work]
    for work, future, wanted in zip(all_work, futures, expected, strict=True):
        finished = result(future)
        assert is_same(pieces_of(finished), work)
        assert outcomes(finished, work) == wanted


def test_measures_what_the_serial_executor_measures(digits_family, blueprint, works):
    plan = blueprint(digits_family / "study.yaml")
    with shared_by_threads(SerialPool(plan)) as (shared, threads):
        check_against_serial(plan, shared, threads, [works(count, "upright", seed=count) for count in (5, 1, 3)])


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_ray_serves_several_threads_and_replaces_an_actor_meanwhile(probe_family, blueprint, works):
    peak = {"peak": [0.5, 0.5]}
    plan = blueprint(probe_family(objectives={"calm": peak, "dies-once": {**peak, "trouble": "die once"}}))
    unlucky = Work(np.array([0.95, 0.25]), "search", {"dies-once": None})
    pool = RayPool(Compute(actors=2, num_cpus=0.25, timeout_s=20, attempts=2), plan)
    with shared_by_threads(pool) as (shared, threads):
        dying = threads.submit(collect, shared, [unlucky])
        check_against_serial(plan, shared, threads, [works(count, "calm", seed=count) for count in (7, 1, 4)])
        (finished,) = result(dying)
    assert (finished.work, finished.attempts, finished.measured[0].error) == (unlucky, 2, None)
