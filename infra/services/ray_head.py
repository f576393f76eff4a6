"""A Ray cluster on one machine: a head, and nodes that can come and go."""

import importlib.util
import json
import os
import shutil
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.services.ports import free_ports
from infra.services.service import Service, ServiceError, import_path, secret

_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""By this Ray takes 127.0.0.1 for this machine's address on Linux too, not one that others reach."""

_ANY = ("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0")
"""Ports that Ray chooses: those that it would take otherwise are the same for every cluster."""

_GAVE_UP = "timed out during startup"
"""What Ray says where its own processes do not register within 30 s, as on a machine that does something else."""

_STARTS = 3
"""How often Ray is started before that is believed."""

_MEMORY = 2**27
"""Bytes of an object store: candidates and outcomes are small."""


class _RayProcess(Service):
    """What a head and a node share: how many CPUs they offer, and the token that lets into the cluster."""

    num_cpus: int
    memory: int
    token: Path

    def environment(self) -> dict[str, str]:
        """Return the variables by which a driver is let in; they must be set before it imports Ray."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token)} | _LOOPBACK

    def own_environment(self) -> dict[str, str]:
        """Return its settings."""
        return {
            **self.environment(),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # 15 by default, for which Linux shares processors among actors badly
            "RAY_task_events_report_interval_ms": "0",  # a history of tasks, for a dashboard that is not there
            "PYTHONPATH": import_path(),
        }

    def start(self, *, keep: bool = False) -> None:
        """Start it as any server, and again where Ray lost patience with itself."""
        for left in reversed(range(_STARTS)):
            try:
                return super().start(keep=keep)
            except ServiceError:
                if left == 0 or not self._said(_GAVE_UP):
                    raise

    def _has_registered(self) -> bool:
        """Tell whether its raylet serves, which is said when it has been waited for."""
        return self._said("Ray runtime started")

    def _said(self, words: str) -> bool:
        return self.log.is_file() and words in self.log.read_text(encoding="utf-8", errors="replace")

    def prepare(self) -> None:
        """Forget what an earlier process said."""
        self.log.unlink(missing_ok=True)


class RayHead(_RayProcess):
    """The head of a cluster, and its first node. It listens on 127.0.0.1 alone, to programs that have its token.

    Its `address` is what a study's `compute.address` is to say.

    Args:
        folder: for its token and log; `session` leads to Ray's own files, which are gone when it stops.
        port: by default a free one.
        num_cpus: what this node offers; by default the machine's.
        memory: of its object store, in bytes.
    """

    name = "the Ray head"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        num_cpus: int | None = None,
        memory: int = _MEMORY,
    ) -> None:
        ray, client = free_ports(2)
        super().__init__(folder, {"ray": ray if port is None else port, "client": client})
        self.num_cpus, self.memory = num_cpus or os.cpu_count() or 1, memory
        self.token = self.folder / "token"

    def own_environment(self) -> dict[str, str]:
        """Return its settings; a head that runs for months is not to remember every actor of that time."""
        return {**super().own_environment(), "RAY_maximum_gcs_destroyed_actor_cached_count": "1000"}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        head = ["--head", "--block", "--node-ip-address=127.0.0.1", f"--port={self.ports['ray']}"]
        head += ["--disable-usage-stats", "--include-dashboard=false", f"--temp-dir={self._session.resolve()}"]
        head += [*_ANY, f"--num-cpus={self.num_cpus}", f"--object-store-memory={self.memory}"]
        if importlib.util.find_spec("grpc"):  # then Ray serves clients too, by default on a fixed port
            head.append(f"--ray-client-server-port={self.ports['client']}")
        return [Path(sysconfig.get_path("scripts"), "ray"), "start", *head]

    def prepare(self) -> None:
        """Make a token, and a folder whose name is short enough for Ray's sockets."""
        super().prepare()
        secret(self.token)
        self.tidy()
        self._session.symlink_to(tempfile.mkdtemp(prefix="mapmerge-ray-", dir="/tmp"))

    def answers(self) -> bool:
        """Tell whether drivers and nodes can join."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.ports["ray"])) == 0 and self._has_registered()

    def tidy(self) -> None:
        """Remove Ray's own files."""
        if self._session.is_symlink():
            shutil.rmtree(self._session.resolve(), ignore_errors=True)
            self._session.unlink()

    @property
    def _session(self) -> Path:
        return self.folder / "session"


class RayNode(_RayProcess):
    """Another node of a head's cluster, which may be killed.

    Args:
        folder: for its log.
        head: whose cluster it joins.
        num_cpus: what it offers.
        memory: of its object store, in bytes.
        resources: by name, what else it offers, by which work can be sent to it.
    """

    name = "a Ray node"

    def __init__(
        self, folder: Path, head: RayHead, *, num_cpus: int = 1, memory: int = _MEMORY, **resources: float
    ) -> None:
        super().__init__(folder, {})
        self._resources = json.dumps(resources)
        self._head, self.token = head, head.token
        self.num_cpus, self.memory = num_cpus, memory

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        offered = [f"--num-cpus={self.num_cpus}", f"--object-store-memory={self.memory}"]
        join = [sys.executable, "-m", "infra.services.join_ray", self._head.address]
        return [*join, *offered, f"--resources={self._resources}"]

    @property
    def address(self) -> str:
        """The cluster that it joins."""
        return self._head.address

    def answers(self) -> bool:
        """Tell whether it has joined."""
        return self._has_registered()
