"""The store: bytes under keys, in a local folder, in memory or on S3, with the same promises everywhere."""

import re
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
from fsspec.core import split_protocol

from mapmerge.errors import ConfigError, IntegrityError, MissingFileError
from mapmerge.ledger.local_files import LocalFiles

LIMIT = 256 * 2**20
"""The largest object that is read, in bytes: what lies in a store is not trusted to be of a sane size."""


class Written(NamedTuple):
    """When an object was written, in seconds since 1970 by the clock of the store, and its size in bytes."""

    time: float
    size: int


_MEMORY = threading.Lock()
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=-]*")


class Store:
    """Objects below one URI.

    Keys are relative paths such as `runs/a/study.json`: segments of letters, digits and `_.=-` that start with a
    letter, a digit or `_`, so no key leaves the store and none is hidden.

    Args:
        uri: `s3://bucket/folder`, `memory://folder`, `file:///folder` or a plain path. How to reach S3 (endpoint,
            region, credentials) comes from where the AWS tools look for it.

    Raises:
        ConfigError: another kind of URI.

    >>> store = Store("memory://store-doctest")
    >>> store.create("a/b.json", b"{}"), store.create("a/b.json", b"[]")
    (True, False)
    >>> store.read("a/b.json"), store.list("a")
    (b'{}', ['a/b.json'])
    """

    def __init__(self, uri: str) -> None:
        protocol, path = split_protocol(str(uri))
        protocol = protocol or "file"
        self._objects: LocalFiles | _RemoteObjects
        if protocol == "file":
            root = Path(path).expanduser().absolute()
            self.uri = f"file://{root}"
            self._objects = LocalFiles(root)
        elif protocol in ("s3", "memory"):
            path = path.strip("/")
            if not path:
                raise ConfigError(f"store {uri!r}: expected {protocol}://{'bucket/' if protocol == 's3' else ''}folder")
            self.uri = f"{protocol}://{path}"
            # One file system object a process (fsspec keeps it); listings must show what others write meanwhile.
            self._objects = _RemoteObjects(fsspec.filesystem(protocol, use_listings_cache=False), path, protocol)
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
        return self._objects.read_many([_checked(key) for key in keys], limit)

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless it exists: of any number of writers exactly one is told True."""
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
        return Store(f"{self.uri}/{_checked(folder)}")


class _RemoteObjects:
    """Objects of an fsspec file system that has no half-written objects of its own: S3 or memory."""

    def __init__(self, files: Any, root: str, protocol: str) -> None:
        self._files, self._root, self._protocol = files, root, protocol

    def read(self, key: str, limit: int) -> bytes:
        return self._read_whole(self._path(key), limit)

    def read_many(self, keys: list[str], limit: int) -> dict[str, bytes]:
        paths = {self._path(key): key for key in keys}
        if not paths:
            return {}
        found = {}
        results = self._files.cat_ranges(list(paths), 0, limit + 1, on_error="return")
        for (path, key), result in zip(paths.items(), results, strict=True):
            if isinstance(result, FileNotFoundError):
                continue
            found[key] = result if isinstance(result, bytes) else self._read_whole(path, limit)
        return found

    def create(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        if self._protocol == "memory":
            with _MEMORY:  # the memory file system looks and writes in two steps
                if self.exists(key):
                    return False
                self._files.pipe_file(path, data)
                return True
        for pause in (0.05, 0.2, None):
            try:
                self._files.pipe_file(path, data, mode="create")  # If-None-Match: *
            except PermissionError:
                raise
            except OSError:  # servers spell "it exists" in several ways; ask
                if self.exists(key):
                    return False
                if pause is None:
                    raise
                time.sleep(pause)  # S3 answers "conflict" while another create of this key is under way
            else:
                return True
        raise AssertionError("unreachable")

    def replace(self, key: str, data: bytes) -> None:
        self._files.pipe_file(self._path(key), data)

    def move(self, key: str, to: str) -> None:
        self._files.cp_file(self._path(key), self._path(to))
        self._files.rm_file(self._path(key))

    def delete(self, key: str) -> None:
        try:
            self._files.rm_file(self._path(key))
        except FileNotFoundError:
            return

    def exists(self, key: str) -> bool:
        # Not `isfile`: that takes every error for "no", also that the credentials are wrong.
        try:
            return bool(self._files.info(self._path(key))["type"] == "file")
        except FileNotFoundError:
            return False

    def list(self, folder: str) -> list[str]:
        start = self._path("")
        paths = self._files.find(self._path(folder))
        return [path.lstrip("/").removeprefix(start) for path in paths if path.lstrip("/").startswith(start)]

    def written(self, folder: str) -> dict[str, tuple[float, int]]:
        start, name = self._path(""), "LastModified" if self._protocol == "s3" else "created"
        found = {}
        for path, about in self._files.find(self._path(folder), detail=True).items():
            if path.lstrip("/").startswith(start):
                when = about[name]
                time = when.timestamp() if isinstance(when, datetime) else float(when)
                found[path.lstrip("/").removeprefix(start)] = time, int(about["size"])
        return found

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _read_whole(self, path: str, limit: int) -> bytes:
        try:
            data = self._files.cat_file(path, start=0, end=limit + 1)
        except FileNotFoundError:
            raise
        except OSError:  # S3 has no range of an empty object
            if self._files.info(path)["size"] != 0:
                raise
            data = b""
        return bytes(data)


def _is_key(key: str) -> bool:
    return all(_SEGMENT.fullmatch(part) for part in key.split("/"))


def _checked(key: str) -> str:
    if not _is_key(key):
        raise ConfigError(
            f"store key {key!r}: expected a relative path of segments with letters, digits and `_.=-`, "
            "none of them empty or starting with a dot"
        )
    return key
