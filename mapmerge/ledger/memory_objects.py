"""Objects in the memory of this process, with the promises of the other stores: for tests and notebooks."""

import threading
from typing import Any

import fsspec

_WRITING = threading.Lock()


class MemoryObjects:
    """The objects below one folder of fsspec's memory file system; keys are checked by `Store`."""

    def __init__(self, root: str) -> None:
        self._files: Any = fsspec.filesystem("memory")
        self._root = f"/{root}"

    def read(self, key: str, limit: int) -> bytes:
        """Return at most limit + 1 bytes of an object; raises FileNotFoundError."""
        return bytes(self._files.cat_file(self._path(key), start=0, end=limit + 1))

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
        with _WRITING:  # the memory file system looks and writes in two steps
            if self.exists(key):
                return False
            self._files.pipe_file(self._path(key), data)
            return True

    def replace(self, key: str, data: bytes) -> None:
        """Write an object, in the place of what was there."""
        self._files.pipe_file(self._path(key), data)

    def move(self, key: str, to: str) -> None:
        """Give an object another key; raises FileNotFoundError."""
        self._files.cp_file(self._path(key), self._path(to))
        self._files.rm_file(self._path(key))

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""
        try:
            self._files.rm_file(self._path(key))
        except FileNotFoundError:
            return

    def discard(self, keys: list[str]) -> None:
        """Remove objects that exist."""
        for key in keys:
            self.delete(key)

    def exists(self, key: str) -> bool:
        """Tell whether an object exists."""
        return bool(self._files.isfile(self._path(key)))

    def list(self, folder: str) -> list[str]:
        """Return the keys below a folder, unsorted."""
        return list(self.written(folder))

    def written(self, folder: str) -> dict[str, tuple[float, int]]:
        """Return when each object below a folder was written, in seconds since 1970, and its size in bytes."""
        root, start = self._path(""), self._path(f"{folder}/" if folder else "")
        return {
            path.removeprefix(root): (float(about["created"]), int(about["size"]))
            for path, about in self._files.find(start, detail=True).items()
            if path.startswith(start)
        }

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"
