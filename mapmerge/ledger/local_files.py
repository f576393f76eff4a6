"""Objects as files of a folder, with the promises an object store makes: whole or absent, and created once."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mapmerge.errors import StoreFullError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class LocalFiles:
    """The objects below one folder; keys are checked by `Store`.

    Every object is written beside its place under a hidden name and then linked or renamed to it, so a reader never
    sees half of one. A writer that dies leaves a hidden file at most, which nothing ever lists. Whatever writes may
    raise StoreFullError.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str, limit: int) -> bytes:
        """Return at most limit + 1 bytes of an object; raises FileNotFoundError."""
        try:
            with (self._root / key).open("rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size  # what lies under a key never grows: it is only ever renamed to
                return file.read(min(size, limit + 1))
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(str(error)) from error

    def read_many(self, keys: list[str], limit: int) -> dict[str, bytes]:
        """Return the objects that exist."""
        found = {}
        for key in keys:
            try:
                found[key] = self.read(key, limit)
            except FileNotFoundError:
                continue
        return found

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless it exists; returns whether this call wrote it."""
        path = self._root / key
        with _room(path):
            temporary = self._write_beside(path, data)
            try:
                os.link(temporary, path)  # fails where the name is taken, for all but one of any number of writers
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
        return True

    def replace(self, key: str, data: bytes) -> None:
        """Write an object, in the place of what was there."""
        path = self._root / key
        with _room(path):
            temporary = self._write_beside(path, data)
            try:
                temporary.replace(path)
            except OSError:
                temporary.unlink()
                raise

    def move(self, key: str, to: str) -> None:
        """Give an object another key; raises FileNotFoundError."""
        with _room(self._root / to):
            (self._root / to).parent.mkdir(parents=True, exist_ok=True)
            (self._root / key).replace(self._root / to)

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""
        (self._root / key).unlink(missing_ok=True)

    def discard(self, keys: list[str]) -> None:
        """Remove objects that exist, as far as they let themselves be removed."""
        for key in keys:
            with suppress(OSError):
                self.delete(key)

    def exists(self, key: str) -> bool:
        """Tell whether an object exists."""
        return (self._root / key).is_file()

    def list(self, folder: str) -> list[str]:
        """Return the keys below a folder, unsorted."""
        keys = []
        for parent, _, files in os.walk(self._root / folder):
            inside = Path(parent).relative_to(self._root)
            keys += [(inside / file).as_posix() for file in files if not file.startswith(".")]
        return keys

    def written(self, folder: str) -> dict[str, tuple[float, int]]:
        """Return when each object below a folder was written, in seconds since 1970, and its size in bytes."""
        found = {}
        for key in self.list(folder):
            with suppress(FileNotFoundError):  # it was removed meanwhile
                about = (self._root / key).stat()
                found[key] = about.st_mtime, about.st_size
        return found

    def _write_beside(self, path: Path, data: bytes) -> Path:
        temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            file = temporary.open("xb", buffering=0)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = temporary.open("xb", buffering=0)
        try:
            with file:
                left = memoryview(data)
                while left:
                    left = left[file.write(left) :]
        except BaseException:
            temporary.unlink()
            raise
        return temporary


@contextmanager
def _room(path: Path) -> Iterator[None]:
    """Say in words that there is no room for what the block writes."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFullError(
                f"{path}: could not be written, {os.strerror(error.errno).lower()}; make room there, then try again: a "
                "run goes on with `mapmerge resume`"
            ) from error
        raise
