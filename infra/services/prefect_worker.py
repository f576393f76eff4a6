"""A Prefect worker, which runs the deployments of this repository as processes of this machine."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.services.service import ROOT, Service, ServiceError, import_path

POOL = "mapmerge"
DEPLOY = ("deploy", "--pool", POOL, "--type", "process")
"""What `mapmerge` is told, to give a server the work pool and the deployments."""


class PrefectWorker(Service):
    """A worker of the work pool that `mapmerge deploy` registers, with its deployments.

    Runs are given what `extra` says, so it must lead to the server.

    Args:
        folder: for its home and log.
    """

    name = "the Prefect worker"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {})

    @property
    def address(self) -> str:
        """Its work pool."""
        return f"work pool {POOL!r}"

    def environment(self) -> dict[str, str]:
        """Return what `mapmerge deploy` is to know of it."""
        return {"MAPMERGE_PYTHON": sys.executable}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]

    def own_environment(self) -> dict[str, str]:
        """Return its settings; whatever folder runs begin in, they find the code of this repository."""
        return {
            **self.environment(),
            "PREFECT_HOME": str(self.folder / "home"),
            "PREFECT_WORKER_QUERY_SECONDS": "2",  # the server is near
            "PYTHONPATH": import_path(),
            "NO_PROXY": "127.0.0.1",
        }

    def prepare(self) -> None:
        """Give the server the work pool and the deployments, and forget what an earlier process said."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *DEPLOY],
            env={**os.environ, **self.extra, **self.own_environment()},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise ServiceError(f"the deployments were refused:\n{done.stdout[-2000:]}")
        self.log.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Tell whether it has made its work pool and waits for runs."""
        said = self.log.read_text(encoding="utf-8", errors="replace")
        return "Worker " in said and " started!" in said
