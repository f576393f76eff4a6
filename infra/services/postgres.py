"""PostgreSQL, from the programs that are installed, with a password of its own."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from infra.services.ports import free_ports
from infra.services.service import Service, ServiceError, secret

USER = "mapmerge"
DATABASE = "mapmerge"
ACCESS = ("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C")
"""How a new cluster is made; the container of `infra/docker` makes it alike."""


class Postgres(Service):
    """A database on 127.0.0.1, for whoever has its password, which lies in its folder.

    PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`, to whom the folder is given, and the
    folders above must let them through.

    Args:
        folder: for its data and password.
        port: by default a free one.
    """

    name = "PostgreSQL"
    patience = 60.0
    ending = signal.SIGINT  # SIGTERM would wait for every client to leave

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder, {"postgres": free_ports(1)[0] if port is None else port})
        self.user = _unprivileged() if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """How SQLAlchemy reaches it, password included."""
        word = secret(self.folder / "password", user=self.user)
        return f"postgresql+asyncpg://{USER}:{word}@127.0.0.1:{self.ports['postgres']}/{DATABASE}"

    def prepare(self) -> None:
        """Make the cluster and its database, the first time."""
        self._let_in()
        word, data = self.folder / "password", self.folder / "data"
        secret(word, user=self.user)
        if (data / "PG_VERSION").exists():
            _forget_the_dead(data)
            return
        new = self.folder / "data.new"  # half of a cluster must not look like one
        shutil.rmtree(new, ignore_errors=True)
        options = [f"--username={USER}", f"--pwfile={word}", *ACCESS]
        self._run([program("initdb"), f"--pgdata={new}", *options])
        self._run([program("postgres"), "--single", "-D", str(new), "postgres"], f"CREATE DATABASE {DATABASE};\n")
        new.rename(data)

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "password_encryption=scram-sha-256"]
        options = [word for setting in settings for word in ("-c", setting)]
        return [program("postgres"), "-D", self.folder / "data", "-p", str(self.ports["postgres"]), *options]

    def answers(self) -> bool:
        """Tell whether it lets clients in."""
        where = ["-h", "127.0.0.1", "-p", str(self.ports["postgres"])]
        return (
            subprocess.run(
                [program("pg_isready"), *where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ).returncode
            == 0
        )

    def _run(self, command: Sequence[str | Path], said: str | None = None) -> None:
        done = subprocess.run(
            command,
            input=said,
            stdin=subprocess.DEVNULL if said is None else None,
            capture_output=True,
            text=True,
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
        )
        if done.returncode:
            raise ServiceError(f"{self.name}: {Path(command[0]).name} failed:\n{done.stdout}{done.stderr}".rstrip())

    def _let_in(self) -> None:
        """Give the folder to the user that the server runs as."""
        if self.user is None:
            self.folder.chmod(0o700)
            return
        shutil.chown(self.folder, self.user, pwd.getpwnam(self.user).pw_gid)
        self.folder.chmod(0o700)
        for above in reversed(self.folder.parents):
            if subprocess.run(["test", "-x", above], user=self.user, group=self.user, extra_groups=[]).returncode:
                raise ServiceError(
                    f"PostgreSQL does not run as root, and the user {self.user!r} cannot enter {above}: "
                    f"allow it by 'chmod o+x {above}', choose another folder, or start as another user"
                )


def _forget_the_dead(data: Path) -> None:
    """Remove the lock of a server that was killed, and that nobody has asked for since: PostgreSQL would honour it.

    Its helpers end by themselves a moment later; as long as one of them is there, the lock stays.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    pid = int(lock.read_text(encoding="utf-8").split()[0])
    if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        return
    until = time.monotonic() + 10.0
    while any(_works_in(each, data) for each in psutil.process_iter()):
        if time.monotonic() > until:
            return
        time.sleep(0.1)
    lock.unlink(missing_ok=True)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder
    except (psutil.Error, OSError):
        return False


def _unprivileged() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise ServiceError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody'")


def program(name: str) -> Path:
    """Return one of the programs of PostgreSQL: from PATH, or the newest that Debian's packages put elsewhere.

    Raises:
        ServiceError: it is not installed.
    """
    installed = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    newest = max(installed, key=lambda path: float(path.parts[-3]), default=None)
    found = shutil.which(name) or newest
    if found is None:
        raise ServiceError(f"PostgreSQL is not installed ({name!r} was not found); Debian's package is 'postgresql'")
    return Path(found)
