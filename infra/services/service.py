"""What every server is: a command, a log, a time to wait for its first answer, and an end."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from infra.services.ports import is_free
from infra.services.process import end, is_alive, recall, remember

ROOT = Path(__file__).parents[2]
"""The repository, whose code the servers of runs import."""

_LOG_LINES = 15


class ServiceError(RuntimeError):
    """A server that cannot be started, and why."""


class PortTakenError(ServiceError):
    """Another program listens on the port where a server should."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(f"{name} cannot use port {port} of 127.0.0.1: another program does")
        self.port = port


class Service:
    """A real server as a process in a folder of its own. Whoever opens the same folder later finds it running.

    It ends with the process that started it, unless `start(keep=True)` was asked for.

    Args:
        folder: for its data, log and secrets; made if missing, and kept when the server stops.
        ports: by name; those of a server that already runs there win.
    """

    name = "service"
    patience = 120.0
    """Seconds until the first answer."""
    ending = signal.SIGTERM
    """The signal by which it stops in good order."""

    def __init__(self, folder: Path, ports: Mapping[str, int]) -> None:
        self.folder = folder.absolute()
        found = recall(self._note)
        self._process = found[0] if found else None
        self.ports = found[1] if found else dict(ports)
        self._guard: subprocess.Popen[bytes] | None = None
        self.extra: dict[str, str] = {}
        """Further variables of its process, such as those by which it finds other servers."""

    # What a server says of itself

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Tell whether it does what it is for."""
        raise NotImplementedError

    def own_environment(self) -> dict[str, str]:
        """Return the variables that it has beside those of this process."""
        return {}

    def environment(self) -> dict[str, str]:
        """Return the variables by which others find it."""
        return {}

    def prepare(self) -> None:
        """Make what it needs before it starts."""

    def tidy(self) -> None:
        """Remove what it leaves outside its folder."""

    user: str | None = None
    """Whom it runs as; None for whoever starts it."""

    # What can be done with it

    @property
    def is_running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and is_alive(self._process)

    @property
    def pid(self) -> int | None:
        """Its process, None where it does not run."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def address(self) -> str:
        """Where it answers, for people to read."""
        return f"127.0.0.1:{next(iter(self.ports.values()))}"

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / "log"

    def start(self, *, keep: bool = False) -> None:
        """Start it and wait until it answers.

        Args:
            keep: let it go on when this process has ended.

        Raises:
            PortTakenError: somebody else listens on one of its ports.
            ServiceError: it is not installed, cannot run here, or did not answer; with the end of its log.
        """
        if self.is_running:
            raise ServiceError(f"{self.name} runs already in {self.folder}")
        self.kill()  # what a crash has left: its guard, and files outside its folder
        for port in self.ports.values():
            if not is_free(port):  # and would answer instead
                raise PortTakenError(self.name, port)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.prepare()
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.command(),
                env={**os.environ, **self.extra, **self.own_environment()},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                start_new_session=True,  # Ctrl-C is for the person's program, which then stops its servers in order
            )
        self._process = psutil.Process(child.pid)
        child.returncode = 0  # from here on it is known by its id, as it is to whoever opens the folder later
        try:
            remember(self._note, self._process, self.ports)
            if not keep:
                self._guard = subprocess.Popen(
                    [sys.executable, "-m", "infra.services.guard", str(self._note), str(int(self.ending))],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                )
            self._await()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it in good order; what does not end in time is killed."""
        self._end(self.ending)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    # How

    @property
    def _note(self) -> Path:
        return self.folder / "process.json"

    def _await(self) -> None:
        patient_until = time.monotonic() + self.patience
        while True:
            if not self.is_running:
                raise ServiceError(
                    f"{self.name} ended before it answered; the end of {self.log}:\n{self._last_lines()}"
                )
            if self.answers():
                return
            if time.monotonic() > patient_until:
                problem = f"{self.name} did not answer within {self.patience:g} s"
                raise ServiceError(f"{problem}; the end of {self.log}:\n{self._last_lines()}")
            time.sleep(0.1)

    def _last_lines(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            end(self._process, how)
            self._process = None
        self._note.unlink(missing_ok=True)
        if self._guard is not None:
            self._guard.communicate()  # closes the pipe: it finds nothing to end, and goes
            self._guard = None
        self.tidy()


def secret(path: Path, *, user: str | None = None) -> str:
    """Return the word in a file that only its owner can read; made up when the file is not there.

    Args:
        path: of the file.
        user: its owner; None for whoever asks.
    """
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(24))
        if user is not None:
            shutil.chown(path, user)
    return path.read_text(encoding="utf-8")


def import_path() -> str:
    """Return `PYTHONPATH` with this repository in front, for servers that import its code."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
