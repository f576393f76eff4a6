"""The lease of a run: at most one process works on it, and a dead one does not block it."""

import os
import platform
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mapmerge.errors import IntegrityError, MissingFileError, RunError
from mapmerge.ledger.canonical import canonical_json, parse_object
from mapmerge.ledger.patience import HASTY
from mapmerge.ledger.store import Store

_OBJECT_LIMIT = 64 * 1024
_STALE_AFTER = 30.0
_NEVER = 1e11


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from every other one, also from a later one with the same number.

    Args:
        host: name of the machine, with the boot and the process namespace where the system has them.
        pid: process number.
        born: when the process started, in the system's own ticks; 0 where the system does not tell.
        token: random, one for each lease.
    """

    host: str
    pid: int
    born: int
    token: str

    @classmethod
    def here(cls) -> Self:
        """Return this process, with a new token."""
        return cls(_host(), os.getpid(), _born(os.getpid()) or 0, secrets.token_hex(8))

    def is_dead(self) -> bool:
        """Tell whether the process is known to have ended; False where it may live, such as on another host."""
        if self.host != _host():
            return False
        if Path("/proc/self/stat").exists():
            return _born(self.pid) != self.born
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host.partition('/')[0]}"


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life that a lease holds, as far as it can be read.

    Args:
        owner: who gave it, None where that cannot be read.
        beat: when, in seconds since 1970 by the owner's clock; None where that cannot be read.
        released: whether the owner gave the lease back.
    """

    owner: Owner | None
    beat: float | None
    released: bool

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read a lease, whatever it holds."""
        try:
            held = parse_object(data, "")
        except IntegrityError:
            held = {}
        beat = held.get("beat")
        known = float(beat) if isinstance(beat, int | float) and 0 <= beat < _NEVER else None
        return cls(_owner(held), known, held.get("released") is True)

    def is_living(self) -> bool:
        """Tell whether the owner seems to go on, by this machine's clock; `Lease` looks twice where clocks differ."""
        if self.released or self.beat is None or (self.owner is not None and self.owner.is_dead()):
            return False
        return abs(time.time() - self.beat) < _STALE_AFTER


class Lease:
    """Hold a run while the `with` block runs; a thread shows every few seconds that the holder lives.

    The lease is the highest numbered object of a folder, and taking it means creating the next number, which exactly
    one process can do. A holder that was wrongly given up finds the higher number, and `check` then raises. A store
    that is away gives nobody the lease: a holder that could not show that it lives looks again when the store is back.

    Args:
        store: the folder of the leases.
        beat: seconds between two signs of life.
        stale_after: seconds without one after which another process may take over. Where the holder is a process of
            this host that has ended, nobody waits.

    >>> with Lease(Store("memory://lease-doctest")) as lease:
    ...     lease.check()
    """

    def __init__(self, store: Store, *, beat: float = 5.0, stale_after: float = _STALE_AFTER) -> None:
        if not 0 < beat < stale_after:
            raise ValueError(f"expected 0 < beat < stale_after, came {beat} and {stale_after}")
        self._store, self._beat, self._stale_after = store, beat, stale_after
        self._owner = Owner.here()
        self._number = 0
        self._lost: str | None = None
        self._renewed = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="mapmerge-lease", daemon=True)

    def __enter__(self) -> Self:
        """Take the lease.

        Raises:
            RunError: somebody holds it; says who.
        """
        number = _latest(self._store)
        if number > 0 and not self._is_free(number, held := self._read(number)):
            raise RunError(self._held(held))
        self._number = number + 1
        if not self._store.create(_key(self._number), self._sign()) and not self._is_mine():
            raise RunError(self._held(self._read(self._number)))
        self._renewed = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._lost is not None:
            return
        if error is None:
            self._store.replace(_key(self._number), self._sign(released=True))
        else:  # which is what should be told, and may be that the store is away
            with suppress(Exception):
                self._store.with_patience(HASTY).replace(_key(self._number), self._sign(released=True))

    @property
    def token(self) -> str:
        """What tells this lease from every other one."""
        return self._owner.token

    def holder(self) -> str | None:
        """Say who holds the lease, None where it could be taken; waits where that must be watched for a while."""
        number = _latest(self._store)
        if number == 0 or self._is_free(number, held := self._read(number)):
            return None
        return str(_owner(held) or "another process")

    def check(self) -> None:
        """Raise if the lease was lost to another process; call it before what must happen only once.

        Raises:
            RunError: it was, or nobody can tell because the store stays away.
        """
        if self._lost is None and (away := time.monotonic() - self._renewed) > self._stale_after:
            try:
                self._renew(self._store)
            except Exception as error:
                self._lost = f"{self._where()}: the lease could not be renewed for {away:.0f} s ({error})"
        if self._lost is not None:
            raise RunError(self._lost)

    def _live(self) -> None:
        store = self._store.with_patience(HASTY)
        while self._lost is None and not self._stop.wait(self._beat):
            with suppress(Exception):  # the store may be away for a moment, and says so in many ways
                self._renew(store)

    def _renew(self, store: Store) -> None:
        number = _latest(store)
        if number > self._number:
            self._lost = f"{self._where()}: the lease was taken over; {self._held(self._read(number))}"
            return
        store.replace(_key(self._number), self._sign())
        self._renewed = time.monotonic()

    def _read(self, number: int) -> dict[str, Any]:
        """Return what a lease says; one that cannot be read says nothing, and is as old as time."""
        try:
            return parse_object(self._store.read(_key(number), limit=_OBJECT_LIMIT), self._where())
        except (MissingFileError, IntegrityError):
            return {}

    def _is_free(self, number: int, held: dict[str, Any]) -> bool:
        if held.get("released") is True:
            return True
        owner = _owner(held)
        if owner is not None and owner.is_dead():
            return True
        beat = held.get("beat")
        if isinstance(beat, int | float) and abs(time.time() - beat) < self._stale_after:
            return False
        # It looks stale by this machine's clock, but clocks differ: watch whether it still moves.
        time.sleep(2 * self._beat)
        return self._read(number).get("beat") == beat

    def _is_mine(self) -> bool:
        owner = _owner(self._read(self._number))
        return owner == self._owner

    def _held(self, held: dict[str, Any]) -> str:
        owner = _owner(held)
        who = "another process" if owner is None else str(owner)
        if owner is not None and owner.host == _host() and owner.pid == os.getpid():
            who = "this very process"
        return (
            f"{self._where()}: the run is held by {who}; wait for it, or stop it: its lease ends "
            f"{self._stale_after:g} s after its last sign of life"
        )

    def _where(self) -> str:
        return self._store.uri

    def _sign(self, *, released: bool = False) -> bytes:
        return canonical_json({"owner": asdict(self._owner), "beat": time.time(), "released": released})


def latest_sign(store: Store) -> Sign | None:
    """Return the last sign of life in a folder of leases, None where nobody ever held one.

    >>> latest_sign(Store("memory://latest-sign-doctest")) is None
    True
    """
    number = _latest(store)
    try:
        return Sign.read(store.read(_key(number), limit=_OBJECT_LIMIT)) if number else None
    except (MissingFileError, IntegrityError):
        return None


def _latest(store: Store) -> int:
    """Return the number of the latest lease, or 0."""
    numbers = [int(key.removesuffix(".json")) for key in store.list() if key.removesuffix(".json").isdecimal()]
    return max(numbers, default=0)


def _key(number: int) -> str:
    return f"{number:06d}.json"


def _owner(held: dict[str, Any]) -> Owner | None:
    match held.get("owner"):
        case {"host": str(host), "pid": int(pid), "born": int(born), "token": str(token)} if pid > 0:
            return Owner(host, pid, born, token)
    return None


def _host() -> str:
    """Name the machine so that two containers, or two boots, are never taken for one: their process numbers differ."""
    parts = [platform.node() or "unknown"]
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        parts += [boot.read_text().strip()[:8], os.readlink("/proc/self/ns/pid")]  # noqa: PTH115
    return "/".join(parts)


def _born(pid: int) -> int | None:
    """Return the start time of a living process in ticks since boot, or None: ended, a zombie, or no /proc."""
    try:
        # The name in parentheses may hold anything; the state is the first field after it, the start time the 20th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
