"""A Ray cluster on one machine: a head, and nodes that can come and go."""

import importlib.util
import json
import os
import shutil
import socket
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.services.ports import free_ports
from infra.services.service import Service, import_path, secret

_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""By this Ray takes 127.0.0.1 for this machine's address on Linux too, not one that others reach."""

_ANY = ("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0")
"""Ports that Ray chooses: those that it would take otherwise are the same for every cluster."""


class _RayProcess(Service):
    """What a head and a node share: how many CPUs they offer, and the token that lets into the cluster."""

    num_cpus: int
    memory: int
    token: Path
    joinable: bool

    def environment(self) -> dict[str, str]:
        """Return the variables by which a driver is let in; they must be set before it imports Ray."""
        let_in = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token)}
        return let_in | ({} if self.joinable else _LOOPBACK)

    def own_environment(self) -> dict[str, str]:
        """Return its settings."""
        return {**self.environment(), "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": import_path()}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        offered = [f"--num-cpus={self.num_cpus}", f"--object-store-memory={self.memory}"]
        program = Path(sysconfig.get_path("scripts"), "ray")
        return [program, "start", "--block", "--node-ip-address=127.0.0.1", "--disable-usage-stats", *_ANY, *offered]

    def _has_registered(self) -> bool:
        """Tell whether its raylet serves; `ray start` says so when it has waited for it."""
        return "Ray runtime started" in self.log.read_text(encoding="utf-8", errors="replace")

    def prepare(self) -> None:
        """Forget what an earlier process said."""
        self.log.unlink(missing_ok=True)


class RayHead(_RayProcess):
    """The head of a cluster, and its first node. Only programs that have its token are let in.

    Its `address` is what a study's `compute.address` is to say.

    Args:
        folder: for its token and log; `session` leads to Ray's own files, which are gone when it stops.
        port: by default a free one.
        num_cpus: what this node offers; by default the machine's.
        memory: of its object store, in bytes.
        joinable: let nodes join, for which Ray listens on all addresses of the machine, not on 127.0.0.1 alone.
    """

    name = "the Ray head"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        *,
        num_cpus: int | None = None,
        memory: int = 2**27,
        joinable: bool = False,
    ) -> None:
        ray, client = free_ports(2)
        super().__init__(folder, {"ray": ray if port is None else port, "client": client})
        self.num_cpus, self.memory = num_cpus or os.cpu_count() or 1, memory
        self.token, self.joinable = self.folder / "token", joinable

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        head = ["--head", f"--port={self.ports['ray']}", "--include-dashboard=false"]
        if importlib.util.find_spec("grpc"):  # then Ray serves clients too, by default on a fixed port
            head.append(f"--ray-client-server-port={self.ports['client']}")
        return [*super().command(), *head, f"--temp-dir={self._session.resolve()}"]

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
        head: whose cluster it joins; a joinable one.
        num_cpus: what it offers.
        memory: of its object store, in bytes.
        resources: by name, what else it offers, by which work can be sent to it.
    """

    name = "a Ray node"

    def __init__(
        self, folder: Path, head: RayHead, *, num_cpus: int = 1, memory: int = 2**27, **resources: float
    ) -> None:
        super().__init__(folder, {})
        self._resources = json.dumps(resources)
        self._head, self.token, self.joinable = head, head.token, True
        self.num_cpus, self.memory = num_cpus, memory

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [*super().command(), f"--address={self._head.address}", f"--resources={self._resources}"]

    def answers(self) -> bool:
        """Tell whether it has joined."""
        return self._has_registered()
