"""A Ray cluster as a run finds it: joined or started, and what it has to offer."""

import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray

from mapmerge.errors import FailedRunError
from tasks.resident import one_line

_STARTS = 2
"""How often Ray is started: it gives its own processes 30 s, which are too few while a machine does something else."""


def start_ray(address: str) -> bool:
    """Join or start Ray; True when this process did so and must leave or stop it.

    Raises:
        FailedRunError: there is no cluster at the address, or Ray does not start.
    """
    if address != "local":
        _require_reachable(address)  # also where this process is part of another cluster
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address == "local":
        for left in reversed(range(_STARTS)):
            try:
                ray.init(address="local", include_dashboard=False, **quiet)
                break
            except Exception as error:  # Ray raises nothing more particular where its processes are too slow to start
                ray.shutdown()
                if left == 0:
                    raise FailedRunError(
                        f"Ray did not start: {one_line(error)} Is this machine very busy? Go on by `mapmerge resume`, "
                        "or without Ray by `--set compute.executor=serial`"
                    ) from None
        return True
    try:
        ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise FailedRunError(f"no Ray cluster at {address!r}: {one_line(error)}") from None
    return True


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Be part of a cluster while the block runs, unless this process already is, and leave it as it was.

    Raises:
        FailedRunError: there is no cluster at the address.
    """
    is_mine = start_ray(address)
    try:
        yield
    finally:
        if is_mine:
            ray.shutdown()


def _require_reachable(address: str) -> None:
    """Fail within seconds where nobody listens at HOST:PORT; Ray itself would go on trying."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise FailedRunError(f"no Ray cluster at {address!r}: {one_line(error)}") from None


def total() -> dict[str, float]:
    """Return what all nodes of the cluster have, by name of the resource."""
    return dict(ray.cluster_resources())  # type: ignore[no-untyped-call]


def free() -> dict[str, float]:
    """Return how much of it nobody has reserved."""
    return dict(ray.available_resources())  # type: ignore[no-untyped-call]


def resources(there: Mapping[str, float]) -> str:
    """Say how many CPUs and GPUs there are.

    >>> resources({"CPU": 4.0, "memory": 1e9})
    '4 CPU, 0 GPU'
    """
    return ", ".join(f"{there.get(name, 0):g} {name}" for name in ("CPU", "GPU"))
