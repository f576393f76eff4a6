"""The store: bytes under keys, in a local folder, in memory or on S3, with the same promises everywhere."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fsspec.core import split_protocol

from mapmerge.errors import ConfigError, IntegrityError, MissingFileError
from mapmerge.ledger.local_files import LocalFiles
from mapmerge.ledger.memory_objects import MemoryObjects
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.remote_objects import RemoteObjects

LIMIT = 256 * 2**20
"""The largest object that is read, in bytes: what lies in a store is not trusted to be of a sane size."""


class Written(NamedTuple):
    """When an object was written, in seconds since 1970 by the clock of the store, and its size in bytes."""

    time: float
    size: int


_PATIENCE = Patience()
_AT_ONCE = 512  # objects that are fetched side by side: so many are in memory, and fit into the time of a try
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=-]*")


class Store:
    """Objects below one URI.

    Keys are relative paths such as `runs/a/study.json`: segments of letters, digits and `_.=-` that start with a
    letter, a digit or `_`, so no key leaves the store and none is hidden.

    Args:
        uri: `s3://bucket/folder`, `memory://folder`, `file:///folder` or a plain path. How to reach S3 (endpoint,
            region, credentials) comes from where the AWS tools look for it.
        patience: how long a server is waited for.

    Raises:
        ConfigError: another kind of URI.

    On S3 every method may raise StoreRefusedError (wrong credentials, no such bucket) or, after `patience`,
    StoreAwayError.

    >>> store = Store("memory://store-doctest")
    >>> store.create("a/b.json", b"{}"), store.create("a/b.json", b"[]")
    (True, False)
    >>> store.read("a/b.json"), store.list("a")
    (b'{}', ['a/b.json'])
    """

    def __init__(self, uri: str, *, patience: Patience = _PATIENCE) -> None:
        self._patience = patience
        protocol, path = split_protocol(str(uri))
        protocol = protocol or "file"
        self._objects: LocalFiles | MemoryObjects | RemoteObjects
        if protocol == "file":
            root = Path(path).expanduser().absolute()
            self.uri = f"file://{root}"
            self._objects = LocalFiles(root)
        elif protocol in ("s3", "memory"):
            path = path.strip("/")
            if not path:
                raise ConfigError(f"store {uri!r}: expected {protocol}://{'bucket/' if protocol == 's3' else ''}folder")
            self.uri = f"{protocol}://{path}"
            self._objects = RemoteObjects(path, patience) if protocol == "s3" else MemoryObjects(path)
        else:
            raise ConfigError(f"store {uri!r}: expected s3://, memory://, file:// or a plain path, came {protocol}://")

    def read(self, key: str, *, limit: int = LIMIT) -> bytes:
        """Return an object's bytes.

        Raises:
            MissingFileError: there is no such object.
            IntegrityError: it is larger than `limit` bytes.
        """
        try:
            data = self._objects.read(_checked(key), limit)
        except FileNotFoundError as error:
            raise MissingFileError(f"{self.uri}/{key}: there is no such object") from error
        if len(data) > limit:
            raise IntegrityError(f"{self.uri}/{key}: expected at most {limit} bytes, there are more")
        return data

    def read_many(self, keys: Iterable[str], *, limit: int = LIMIT) -> dict[str, bytes]:
        """Return the bytes of the objects that exist, by key; on S3 they are fetched side by side.

        An object larger than `limit` comes cut to `limit + 1` bytes, so that one bad object does not spoil the others.
        """
        return dict(self.read_each(keys, limit=limit))

    def read_each(self, keys: Iterable[str], *, limit: int = LIMIT) -> Iterator[tuple[str, bytes]]:
        """Yield key and bytes of the objects that exist, as `read_many`, however many they are in bounded memory."""
        wanted = [_checked(key) for key in dict.fromkeys(keys)]
        for start in range(0, len(wanted), _AT_ONCE):
            chunk = wanted[start : start + _AT_ONCE]
            found = self._objects.read_many(chunk, limit)
            yield from ((key, found.pop(key)) for key in chunk if key in found)

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless it exists: of any number of writers exactly one is told True, whatever the bytes."""
        return self._objects.create(_checked(key), data)

    def replace(self, key: str, data: bytes) -> None:
        """Write an object, in the place of what was there; a reader sees the old bytes or the new ones."""
        self._objects.replace(_checked(key), data)

    def move(self, key: str, to: str) -> None:
        """Give an object another key.

        Raises:
            MissingFileError: there is no such object.
        """
        try:
            self._objects.move(_checked(key), _checked(to))
        except FileNotFoundError as error:
            raise MissingFileError(f"{self.uri}/{key}: there is no such object") from error

    def delete(self, key: str) -> None:
        """Remove an object; one that does not exist is no error."""
        self._objects.delete(_checked(key))

    def discard(self, keys: Collection[str]) -> None:
        """Remove objects that nobody misses, on S3 in one request: one that cannot be removed stays, unsaid."""
        if keys:
            self._objects.discard([_checked(key) for key in keys])

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under this very key; a folder is none."""
        return self._objects.exists(_checked(key))

    def list(self, folder: str = "") -> list[str]:
        """Return the keys of all objects below a folder (below the store itself for ""), sorted."""
        keys = self._objects.list(_checked(folder) if folder else "")
        return sorted(key for key in keys if _is_key(key))

    def written(self, folder: str = "") -> dict[str, Written]:
        """Return when each object below a folder was written, and its size, by key, sorted; on S3 one listing."""
        found = self._objects.written(_checked(folder) if folder else "")
        return {key: Written(*found[key]) for key in sorted(found) if _is_key(key)}

    def child(self, folder: str) -> "Store":
        """Return the store below a folder of this one."""
        return Store(f"{self.uri}/{_checked(folder)}", patience=self._patience)

    def with_patience(self, patience: Patience) -> "Store":
        """Return the same store, waited for otherwise."""
        return Store(self.uri, patience=patience)


def _is_key(key: str) -> bool:
    return all(_SEGMENT.fullmatch(part) for part in key.split("/"))


def _checked(key: str) -> str:
    if not _is_key(key):
        raise ConfigError(
            f"store key {key!r}: expected a relative path of segments with letters, digits and `_.=-`, "
            "none of them empty or starting with a dot"
        )
    return key
