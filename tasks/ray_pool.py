"""Ray actors that outlive their failures: bounded in flight, a deadline a candidate, dead actors replaced.

`ray.util.ActorPool` loses the item of an actor that dies, so the waiting is done here: every candidate handed to `run`
comes back exactly once, measured or with the reason why not.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from mapmerge.config.sections import Compute
from mapmerge.errors import FailedRunError, RunError
from tasks.cluster import free, resources, start_ray, total
from tasks.log import run_log
from tasks.pool import Finished, Work
from tasks.progress import Progress, report
from tasks.resident import Blueprint, Measured, Resident, one_line

MAX_ACTORS = 64
START_S = 300
"""The least time an actor is given to set itself up, which has nothing to do with how long a candidate takes."""


NOTICE_S = 15
"""After so long without an actor the person who waits is told what is missing."""


@dataclass(eq=False)
class _Job:
    work: Work
    attempts: int = 0


@dataclass(eq=False)
class _Seat:
    """One actor and what was handed to it, oldest first; only the oldest is being measured and has a deadline."""

    actor: Any
    queue: deque[tuple[Any, _Job]] = field(default_factory=deque)
    started: float = 0.0


class RayPool:
    """A bounded pool of single-threaded actors, each with the models resident.

    Raises:
        FailedRunError: no cluster at the address, not the resources that one actor asks for, or no actor that starts.
    """

    def __init__(self, compute: Compute, blueprint: Blueprint) -> None:
        self._compute = compute
        self._blueprint = blueprint
        self._owns_ray = start_ray(compute.address)
        try:
            self.actors = _affordable(compute)
            self._most_in_flight = compute.max_in_flight or 2 * self.actors
            self._seats = [_Seat(self._new_actor()) for _ in range(self.actors)]
            for seat in self._seats:
                self._prove(seat)
        except BaseException:
            self.close()
            raise

    def run(self, work: Iterable[Work | None]) -> Iterator[Finished]:
        """Yield every piece of work exactly once, in the order in which the pieces finish; see `Pool.run`.

        Raises:
            FailedRunError: there are no actors any more, nor can there be others: the cluster itself is gone.
        """
        source, again = iter(work), deque[_Job]()
        for seat in self._seats:  # whoever stopped listening early must not find old answers now
            seat.queue.clear()
        try:
            self._hand_out(source, again)
            while self._in_flight():
                yield from self._collect(again)
                self._hand_out(source, again)
        except RayError as error:  # those of actors and candidates are dealt with where they come up
            what = one_line(error).partition(". ")[0].rstrip(".")  # after which Ray advises about tokens
            raise FailedRunError(
                f"the Ray cluster failed: {what}; see to it, then go on by `mapmerge resume`"
            ) from None

    def close(self) -> None:
        """Kill the actors, and stop Ray if this pool started it."""
        for seat in getattr(self, "_seats", []):
            ray.kill(seat.actor)
        self._seats = []
        if self._owns_ray:
            ray.shutdown()

    def _new_actor(self) -> Any:
        return (
            ray.remote(Resident)
            .options(
                num_cpus=self._compute.num_cpus,
                num_gpus=self._compute.num_gpus,
                max_restarts=0,  # a restarted actor would measure again what nobody asked for: this pool replaces it
            )
            .remote(self._blueprint)
        )

    def _prove(self, seat: _Seat) -> None:
        """Wait until an actor has set itself up; its own error is what the user must see."""
        patience = max(START_S, self._compute.timeout_s)
        began = time.monotonic()
        ready = seat.actor.__ray_ready__.remote()
        while not ray.wait([ready], timeout=NOTICE_S)[0]:
            needed = f"num_cpus={self._compute.num_cpus:g}, num_gpus={self._compute.num_gpus:g}"
            there = f"the cluster has {resources(total())}, of which {resources(free())} are free"
            if time.monotonic() - began > patience:
                raise FailedRunError(f"no actor with {needed} was ready within {patience:g} s; {there}")
            said = f"waiting for an actor with {needed}; {there}"
            report(Progress(said))
            run_log().warning(said)
        try:
            ray.get(ready)
        except RayActorError as error:
            raise FailedRunError(f"an actor could not start: {_last_line(error)}") from None

    def _hand_out(self, source: Iterator[Work | None], again: deque[_Job]) -> None:
        """Fill the seats: first with what came back from a lost actor, then with the next pieces of work."""
        while self._in_flight() < self._most_in_flight:
            job = again.popleft() if again else _next_job(source)
            if job is None:
                return
            seat = min(self._seats, key=lambda seat: len(seat.queue))
            work = job.work
            reference = seat.actor.measure.remote(work.coefficients, work.split, dict(work.wanted))
            if not seat.queue:
                seat.started = time.monotonic()
            seat.queue.append((reference, job))

    def _collect(self, again: deque[_Job]) -> Iterator[Finished]:
        heads = {seat.queue[0][0]: seat for seat in self._seats if seat.queue}
        now = time.monotonic()
        patience = min(seat.started for seat in heads.values()) + self._compute.timeout_s - now
        ready, _ = ray.wait(list(heads), num_returns=1, timeout=max(0.0, patience))
        for reference in ready:
            seat = heads[reference]
            try:
                measured = ray.get(reference)
            except RayActorError as error:
                yield from self._replace(seat, again, f"its actor died: {_last_line(error)}")
                continue
            except RayTaskError as error:  # an error outside the evaluators: of this candidate, not of the actor
                if isinstance(error.cause, RunError):  # or of the inputs: then of all candidates
                    raise RunError(str(error.cause)) from None
                measured = _failed(seat.queue[0][1].work, _last_line(error))
            _, job = seat.queue.popleft()
            seat.started = time.monotonic()
            yield Finished(job.work, measured, self._in_flight(), job.attempts + 1)
        for seat in self._seats:
            if self._is_overdue(seat):
                ray.kill(seat.actor)
                yield from self._replace(seat, again, f"no answer within timeout_s = {self._compute.timeout_s:g} s")

    def _is_overdue(self, seat: _Seat) -> bool:
        """Say whether a candidate takes too long; an answer that only waits to be collected is never late."""
        if not seat.queue or time.monotonic() - seat.started <= self._compute.timeout_s:
            return False
        answered, _ = ray.wait([seat.queue[0][0]], timeout=0)
        return not answered

    def _replace(self, seat: _Seat, again: deque[_Job], reason: str) -> Iterator[Finished]:
        """Seat a fresh actor; the candidate it was measuring pays an attempt, those behind it go back for free."""
        run_log().warning(f"an actor is replaced: {reason}")
        jobs = [job for _, job in seat.queue]
        seat.queue.clear()
        seat.actor = self._new_actor()
        self._prove(seat)
        victim = jobs[0]
        victim.attempts += 1
        again.extendleft(reversed(jobs[1:]))
        if victim.attempts < self._compute.attempts:
            again.append(victim)
        else:
            problem = f"failed {victim.attempts} times, last because {reason}"
            yield Finished(victim.work, _failed(victim.work, problem), self._in_flight(), victim.attempts)

    def _in_flight(self) -> int:
        return sum(len(seat.queue) for seat in self._seats)


def _next_job(source: Iterator[Work | None]) -> _Job | None:
    """Return the next piece of work, or None where there is none, be it for now or for good."""
    piece = next(source, None)
    return None if piece is None else _Job(piece)


def _affordable(compute: Compute) -> int:
    """Return how many actors there are to be: those asked for, or as many as the cluster has room for."""
    there = total()
    wanted = compute.actors or 1
    room = [
        there.get(name, 0.0) / need for name, need in (("CPU", compute.num_cpus), ("GPU", compute.num_gpus)) if need
    ]
    count = int(min(room, default=wanted))
    # More machines may join a cluster, and actors that were asked for by number wait for them; this one never grows.
    if count < wanted and (compute.actors is None or compute.address == "local"):
        raise FailedRunError(
            f"{wanted} actor{'s' if wanted > 1 else ''} with num_cpus={compute.num_cpus:g}, "
            f"num_gpus={compute.num_gpus:g} cannot be had, the cluster has {resources(there)}"
        )
    return compute.actors or min(count, MAX_ACTORS)


def _last_line(error: Exception) -> str:
    """Return the line of a remote traceback that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:500]


def _failed(work: Work, problem: str) -> list[Measured]:
    return [Measured(objective, None, 0.0, problem) for objective in work.wanted]
