"""All servers that runs can use, in one folder: S3, PostgreSQL, Prefect on it with a worker, and Ray with two nodes."""

import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.services.postgres import Postgres
from infra.services.prefect_server import PrefectServer
from infra.services.prefect_worker import PrefectWorker
from infra.services.ray_head import RayHead, RayNode
from infra.services.seaweed import Seaweed
from infra.services.service import Service, ServiceError

BUCKET = "mapmerge"
PORTS = {"s3": 8333, "postgres": 5433, "prefect": 4200, "ray": 6379}
"""By name, unless others are chosen; the parts of a server that talk among themselves take any that are free."""


class Stack:
    """The servers of one folder, in the order in which they need each other.

    Args:
        folder: for their data, logs and secrets.
        ports: those that are not the ones of before, or of `PORTS`.
    """

    def __init__(self, folder: Path, ports: Mapping[str, int] | None = None) -> None:
        self.folder = folder.absolute()
        self.ports = {**PORTS, **self._ports_of_before(), **(ports or {})}
        self.seaweed = Seaweed(self.folder / "seaweed", self.ports["s3"], BUCKET)
        self.postgres = Postgres(self.folder / "postgres", self.ports["postgres"])
        self.prefect = PrefectServer(self.folder / "prefect", port=self.ports["prefect"])
        cores = os.cpu_count() or 1
        self.ray = RayHead(self.folder / "ray", self.ports["ray"], num_cpus=cores - cores // 2)
        self.node = RayNode(self.folder / "ray-node", self.ray, num_cpus=max(1, cores // 2))
        self.worker = PrefectWorker(self.folder / "worker")
        self.ray.extra = self.node.extra = self.seaweed.environment()
        filled_in = {"MAPMERGE_OUTPUT": f"s3://{BUCKET}/out", "MAPMERGE_RAY": self.ray.address}
        self.worker.extra = self.environment() | filled_in

    @property
    def services(self) -> list[Service]:
        """All of them, each after those that it needs."""
        return [self.seaweed, self.postgres, self.prefect, self.ray, self.node, self.worker]

    @property
    def env_file(self) -> Path:
        """What a shell is to read in order to find them."""
        return self.folder / "env"

    def environment(self) -> dict[str, str]:
        """Return the variables by which runs find all of them."""
        parts = self.seaweed, self.prefect, self.ray, self.worker
        return {name: value for part in parts for name, value in part.environment().items()}

    def start(self) -> Iterator[tuple[Service, bool]]:
        """Start what does not run, and let it go on; yields each that runs now, and whether it was started.

        Raises:
            ServiceError: one did not start, or runs on another port. What runs goes on.
        """
        for service in self.services:
            self._require_its_port(service)
        (self.folder / "ports.json").write_text(json.dumps(self.ports) + "\n", encoding="utf-8")
        for service in self.services:
            started = not service.is_running
            if started:
                if service is self.prefect:
                    self.prefect.database_url = self.postgres.url
                service.start(keep=True)
            yield service, started
        self._write_env()

    def stop(self) -> Iterator[tuple[Service, bool]]:
        """Stop them, the last one first; yields each, and whether it was running."""
        for service in reversed(self.services):
            was_running = service.is_running
            service.stop()
            yield service, was_running
        self.env_file.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else start or stop them while the block runs.

        Raises:
            ServiceError: somebody does.
        """
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ServiceError(f"somebody else is starting or stopping the servers of {self.folder}") from None
            yield

    def _ports_of_before(self) -> dict[str, int]:
        try:
            return dict(json.loads((self.folder / "ports.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def _require_its_port(self, service: Service) -> None:
        for name, port in service.ports.items():
            if self.ports.get(name, port) != port:
                raise ServiceError(f"{service.name} runs on port {port}; stop it before it can move")

    def _write_env(self) -> None:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.environment().items()]
        with os.fdopen(os.open(self.env_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")


def open_stack(folder: Path, ports: Mapping[str, int] | None = None) -> Stack:
    """Return the servers of a folder, which is made if missing: others may enter it, PostgreSQL's user among them."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    return Stack(folder, ports)
