"""The shelf of a machine: what is made once, used by many processes, and removed when the room is needed.

An entry is a folder under a key. It appears by a rename once it is whole. Whoever uses it holds a shared lock, which
the system lets go when the process ends, however it ends; what nobody holds goes when there is no room, the least
recently used first.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mapmerge.errors import ConfigError

LIMIT = "MAPMERGE_CACHE_LIMIT"
"""The environment variable that says how many bytes a shelf may hold, such as `200G`."""

_KEY = re.compile(r"[0-9a-f]{32,64}")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def cache_limit() -> int | None:
    """Return how many bytes may be kept, from `$MAPMERGE_CACHE_LIMIT`; None where it is not set: as the disk has room.

    Raises:
        ConfigError: it is no size.
    """
    said = os.environ.get(LIMIT)
    if not said:
        return None
    match = re.fullmatch(r"(\d{1,15})([KMGT]?)", said.strip().upper())
    if match is None:
        raise ConfigError(f"{LIMIT}={said}: expected a whole number of bytes, or one with K, M, G or T, such as 200G")
    return int(match[1]) * _UNITS[match[2]]


class Held:
    """An entry in use: it is not removed as long as this object lives.

    Args:
        path: the entry's folder.
        lock: descriptor with the shared lock, closed in the end.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.release = weakref.finalize(self, os.close, lock)


class Shelf:
    """Entries below one folder, shared by all processes of a machine.

    Args:
        folder: made when it is needed.
        limit: bytes that all entries may take; that of the environment by default.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shelf = Shelf(folder, limit=100)
    ...     held = shelf.keep("ab" * 16, 2, lambda draft: (draft / "x").write_text("hi"), lambda entry: entry.is_dir())
    ...     (held.path / "x").read_text()
    'hi'
    """

    def __init__(self, folder: str | Path, *, limit: int | None = None) -> None:
        self._folder, self._limit = Path(folder), limit

    def keep(self, key: str, size: int, make: Callable[[Path], object], is_whole: Callable[[Path], bool]) -> Held:
        """Return an entry, made only where it is not there; of many who ask at once one makes it, the others wait.

        Args:
            key: 32 to 64 hex digits that stand for the content.
            size: bytes it will take.
            make: writes the entry into an empty folder.
            is_whole: tells whether a folder is this entry.

        Raises:
            ConfigError: there is no room for it.
        """
        entry = self._folder / key
        self._folder.mkdir(parents=True, exist_ok=True)
        held = Held(entry, _lock(self._used(key), fcntl.LOCK_SH))
        os.utime(self._used(key))
        if not is_whole(entry):
            with _locked(self._folder / f"{key}.lock"):
                if not is_whole(entry):  # nobody made it while this one waited for its turn
                    shutil.rmtree(entry, ignore_errors=True)
                    with self._draft(key, size) as draft:
                        make(draft)
                        draft.rename(entry)
        return held

    @contextmanager
    def scratch(self, size: int) -> Iterator[Path]:
        """Give an empty folder with room for `size` bytes, which is removed in the end.

        Raises:
            ConfigError: there is no room for it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        key = secrets.token_hex(16)
        lock = self._folder / f"{key}.lock"
        with _locked(lock), self._draft(key, size) as draft:
            yield draft
        lock.unlink(missing_ok=True)

    @contextmanager
    def _draft(self, key: str, size: int) -> Iterator[Path]:
        """Give a folder to make an entry in; its name says how much room is kept for it. The key is locked."""
        draft = self._folder / f".{key}.{size}"
        try:
            with _locked(self._folder / "room.lock"):
                for left in self._folder.glob(f".{key}.*"):  # of one who died
                    shutil.rmtree(left, ignore_errors=True)
                if not self._make_room(size):
                    raise self._no_room(size)
                draft.mkdir()
            yield draft
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise self._no_room(size) from error
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _make_room(self, size: int) -> bool:
        """Remove what nobody uses, the least recently used first, until there is room; returns whether there is."""
        limit = cache_limit() if self._limit is None else self._limit
        for left in self._folder.glob(".*.*"):
            maker = self._folder / f"{left.name.split('.')[1]}.lock"
            with suppress(BlockingIOError), _locked(maker, fcntl.LOCK_EX | fcntl.LOCK_NB):  # of one who died
                shutil.rmtree(left, ignore_errors=True)
        reserved = {left: int(left.name.split(".")[2]) for left in self._folder.glob(".*.*")}
        entries = [entry for entry in self._folder.iterdir() if _KEY.fullmatch(entry.name) and entry.is_dir()]
        taken = sum(reserved.values()) + sum(map(_size, entries))
        # What others have room for and have not written yet is not free.
        promised = sum(max(0, room - _size(left)) for left, room in reserved.items())

        def fits() -> bool:
            free = shutil.disk_usage(self._folder).free - promised
            return free >= size and (limit is None or taken + size <= limit)

        for entry in sorted(entries, key=self._last_used):
            if fits():
                break
            used = self._used(entry.name)
            with suppress(BlockingIOError), _locked(used, fcntl.LOCK_EX | fcntl.LOCK_NB):  # else it is in use
                taken -= _size(entry)
                shutil.rmtree(entry, ignore_errors=True)
        return fits()

    def _no_room(self, size: int) -> ConfigError:
        limit = cache_limit() if self._limit is None else self._limit
        free = shutil.disk_usage(self._folder).free
        return ConfigError(
            f"{self._folder}: expected room for {size} bytes, there are {free} free"
            + ("" if limit is None else f", and {LIMIT} allows {limit} in all")
            + "; what is in use is not removed: free some, raise the limit, or let MAPMERGE_CACHE name another folder"
        )

    def _used(self, key: str) -> Path:
        return self._folder / f"{key}.used"

    def _last_used(self, entry: Path) -> int:
        try:
            return self._used(entry.name).stat().st_mtime_ns
        except FileNotFoundError:
            return 0


def _lock(path: Path, how: int) -> int:
    """Lock a file, which is never removed, so that all lock the same one; returns the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, how)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    descriptor = _lock(path, how)
    try:
        yield
    finally:
        os.close(descriptor)


def _size(folder: Path) -> int:
    size = 0
    for file in folder.glob("*"):
        with suppress(FileNotFoundError):
            size += file.stat().st_size
    return size
