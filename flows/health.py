"""The flow that looks whether a run would find all that it needs: to be run on a schedule."""

import time
from collections import Counter
from collections.abc import Callable, Iterator

from prefect import flow

from mapmerge.errors import FailedRunError, MapmergeError
from mapmerge.ledger.listing import list_runs
from mapmerge.ledger.probe import probe
from mapmerge.ledger.store import Store
from tasks.artifacts import show_health
from tasks.cluster import free, joined, resources, total

Check = tuple[str, Callable[[], str]]


@flow(name="check-health", log_prints=True)
def check_health(
    store: str, ray: str | None = None, min_cpus: float = 1.0, min_gpus: float = 0.0
) -> list[dict[str, str | float]]:
    """Look whether runs could be kept and measured from here, and show it as a table.

    The store has to take, refuse, give back and remove a small object as runs need it, and none of its runs may be
    damaged. The cluster has to be there, with the processors that runs ask for. Runs that stopped half-way are told of,
    and are no problem: they wait for `resume-front`.

    Args:
        store: what the runs' output is: a folder or `s3://bucket/folder`.
        ray: address of the Ray cluster that runs join, `HOST:PORT` or `auto`; none: runs start Ray for themselves.
        min_cpus: how many CPUs the cluster must have in all.
        min_gpus: how many GPUs the cluster must have in all.

    Returns:
        What was looked at, each with what was found and the seconds that it took.

    Raises:
        FailedRunError: something is wrong; says what.
    """
    checks: list[Check] = [("store", lambda: _store(store)), ("runs", lambda: _runs(store))]
    if ray is not None:
        checks.append(("cluster", lambda: _cluster(ray, {"CPU": min_cpus, "GPU": min_gpus})))
    found = list(_looked(checks))
    show_health(found)
    problems = [f"{each['what']}: {each['found']}" for each in found if each["state"] == "wrong"]
    if problems:
        raise FailedRunError("\n".join(problems))
    return found


def _looked(checks: list[Check]) -> Iterator[dict[str, str | float]]:
    """Make each check, whatever became of the others."""
    for what, check in checks:
        began = time.monotonic()
        try:
            state, told = "well", check()
        except MapmergeError as error:
            state, told = "wrong", str(error)
        print(f"{what}: {told}")
        yield {"what": what, "state": state, "found": told, "seconds": round(time.monotonic() - began, 2)}


def _store(uri: str) -> str:
    probe(Store(uri))
    return f"{uri} takes, refuses, gives back and removes objects"


def _runs(uri: str) -> str:
    """Count the runs of a store by their state; there need not be any."""
    runs = list_runs(Store(uri))
    if damaged := [f"{run.uri}: {run.why}" for run in runs if run.state == "damaged"]:
        raise FailedRunError("; ".join(damaged))
    count = Counter(run.state for run in runs)
    stopped = [run.run_id for run in runs if run.state == "stopped"]
    said = ", ".join(f"{count[state]} {state}" for state in ("complete", "running", "stopped"))
    return said + (f" (to be resumed: {', '.join(stopped)})" if stopped else "")


def _cluster(address: str, needed: dict[str, float]) -> str:
    """Say what a cluster has, and leave it as it was."""
    with joined(address):
        there, idle = total(), free()
    said = f"{address} has {resources(there)}, of which {resources(idle)} are free"
    if any(there.get(name, 0.0) < count for name, count in needed.items()):
        raise FailedRunError(f"{said}; {resources(needed)} are needed")
    return said
