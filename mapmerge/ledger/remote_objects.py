"""Objects on S3: what passes by itself is waited for, what does not is said at once."""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import fsspec

from mapmerge.errors import StoreAwayError, StoreRefusedError
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.s3_answers import Meaning, advice, meaning, name, server
from mapmerge.ledger.s3_reading import FEWEST, read_plain

_T = TypeVar("_T")
_WRITER = "writer"
_SAID_FROM = 2.0  # seconds: shorter pauses are everyday life of a busy server, and nobody's business


class RemoteObjects:
    """The objects below one folder of a bucket; keys are checked by `Store`.

    Every method tries again, as `patience` says, on what passes by itself: no connection, no answer in time, half of
    an answer, a server that is busy or broken (5xx). Wrong credentials or rights, or a bucket that is not there, raise
    StoreRefusedError at the first try; StoreAwayError is raised when the patience has ended. Messages name the URI, the
    server and its code for the error, and nothing that was sent.

    Args:
        root: `bucket/folder`.
        patience: how long to wait for the server.
    """

    def __init__(self, root: str, patience: Patience) -> None:
        self._root, self._patience = root, patience

    def read(self, key: str, limit: int) -> bytes:
        """Return at most limit + 1 bytes of an object; raises FileNotFoundError."""
        found = self._fetch([key], limit, about=key)
        if key not in found:
            raise FileNotFoundError(self._path(key))
        return found[key]

    def read_many(self, keys: list[str], limit: int) -> dict[str, bytes]:
        """Return the objects that exist, fetched side by side; not more keys than fit into the time of a try."""
        answers: dict[str, bytes | None] = {}
        if len(keys) >= FEWEST:
            paths = {self._path(key): key for key in keys}
            plain = self._ask("", lambda files: read_plain(files, [*paths], limit, self._patience.call))
            answers = {paths[path]: data for path, data in plain.items()}
        left = [key for key in keys if key not in answers]
        found = {key: data for key, data in answers.items() if data is not None}
        return found | self._fetch(left, limit, about="") if left else found

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless it exists; returns whether this call wrote it.

        True means: the object was written by this very call. An answer may be lost after the object was written, and
        the next try then finds the name taken, so each call writes a random word of its own beside the bytes and looks
        whose word stands there. Equal bytes would not tell: two processes may write the same. Where this raises
        StoreAwayError, the object may have been written or not.
        """
        path, word = self._path(key), secrets.token_hex(16)

        def write(files: Any) -> bool:
            try:
                # If-None-Match: *
                files.pipe_file(path, data, mode="create", Metadata={_WRITER: word}, timeout=self._patience.call)
            except Exception as error:
                if meaning(error) is not Meaning.TAKEN:
                    raise
                return self._writer(files, path) == word
            return True

        return self._ask(key, write)

    def replace(self, key: str, data: bytes) -> None:
        """Write an object, in the place of what was there."""
        self._ask(key, lambda files: files.pipe_file(self._path(key), data, timeout=self._patience.call))

    def move(self, key: str, to: str) -> None:
        """Give an object another key; raises FileNotFoundError."""
        # Two questions, because each of them may be asked again; both in one would not find what it has moved already.
        self._ask(key, lambda files: files.cp_file(self._path(key), self._path(to), timeout=self._patience.call))
        self.delete(key)

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""
        try:
            self._ask(key, lambda files: files.rm_file(self._path(key), timeout=self._patience.call))
        except FileNotFoundError:
            return

    def discard(self, keys: list[str]) -> None:
        """Remove objects that exist by one request; what the server says of single ones is not heard."""
        paths = [self._path(key) for key in keys]
        self._ask("", lambda files: files.rm(paths, timeout=self._patience.call))

    def exists(self, key: str) -> bool:
        """Tell whether an object exists."""
        # Not `isfile`: that takes every error for "no", also that the credentials are wrong.
        try:
            info = self._ask(key, lambda files: files.info(self._path(key), timeout=self._patience.call))
        except FileNotFoundError:
            return False
        return bool(info["type"] == "file")

    def list(self, folder: str) -> list[str]:
        """Return the keys below a folder, unsorted."""
        return list(self.written(folder))

    def written(self, folder: str) -> dict[str, tuple[float, int]]:
        """Return when each object below a folder was written, in seconds since 1970, and its size in bytes."""
        root, start = self._path(""), self._path(f"{folder}/" if folder else "")
        found = self._ask(folder, lambda files: files.find(start.rstrip("/"), detail=True, timeout=self._patience.call))
        return {
            path.removeprefix(root): (about["LastModified"].timestamp(), int(about["size"]))
            for path, about in found.items()
            if path.startswith(start)
        }

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _writer(self, files: Any, path: str) -> str | None:
        try:
            word = files.metadata(path, timeout=self._patience.call).get(_WRITER)
        except FileNotFoundError:
            raise ConnectionError("the object was removed between two questions") from None  # so ask again
        return None if word is None else str(word)

    def _fetch(self, keys: Sequence[str], limit: int, *, about: str) -> dict[str, bytes]:
        left, found = dict.fromkeys(keys), dict[str, bytes]()

        def fetch(files: Any) -> None:  # asked again, it asks only for what did not come
            paths = [self._path(key) for key in left]
            results = files.cat_ranges(paths, 0, limit + 1, on_error="return", timeout=self._patience.call)
            failed = []
            for key, result in zip(list(left), results, strict=True):
                if not isinstance(result, BaseException):
                    found[key] = bytes(result)
                elif name(result) in ("InvalidRange", "416"):  # there is not even a first byte
                    found[key] = b""
                elif meaning(result) is not Meaning.MISSING:
                    failed.append(result)
                    continue
                del left[key]
            if failed:  # and if some will not pass, these should be told
                raise min(failed, key=lambda error: meaning(error) is Meaning.PASSING)

        self._ask(about, fetch)
        return found

    def _ask(self, key: str, act: Callable[[Any], _T]) -> _T:
        return ask(f"s3://{self._path(key)}".rstrip("/"), self._patience, act)


def ask(uri: str, patience: Patience, act: Callable[[Any], _T]) -> _T:
    """Ask S3 something, again as `patience` says on what passes by itself.

    Args:
        uri: what it is about, for messages.
        patience: how long to wait for the server.
        act: is given the file system of this process; called once for each try.

    Raises:
        FileNotFoundError: there is no such object.
        StoreRefusedError: wrong credentials or rights, or no such bucket.
        StoreAwayError: the patience has ended.
    """
    pauses = patience.pauses()
    said = False
    while True:
        try:
            return act(_files(patience))
        except Exception as error:
            match meaning(error):
                case Meaning.MISSING:
                    raise FileNotFoundError(uri) from error
                case Meaning.REFUSED | Meaning.TAKEN:
                    raise StoreRefusedError(
                        f"{uri}: expected to be let in, came {name(error)} from {_server(patience)}; {advice(error)}"
                    ) from error
                case Meaning.FOREIGN:
                    raise
            pause = next(pauses, None)
            if pause is None:
                raise StoreAwayError(
                    f"{uri}: expected an answer from {_server(patience)}, came {name(error)}, again and again for "
                    f"{patience.in_all:g} s; check the server, the network and AWS_ENDPOINT_URL, then try "
                    "again: a run goes on with `mapmerge resume`"
                ) from error
            if pause >= _SAID_FROM and not said:
                said = True
                logging.getLogger(__name__).warning(
                    "%s: %s from %s; trying again for %g s", uri, name(error), _server(patience), patience.in_all
                )
            time.sleep(pause)


def _server(patience: Patience) -> str:
    try:
        return server(_files(patience).s3.meta.endpoint_url)
    except Exception:  # where not even a client can be made, nobody knows
        return "S3"


def _files(patience: Patience) -> Any:
    """Return the file system of this process; asked for each time, since after a fork the parent's must not be used.

    fsspec keeps one for each process and set of options. Neither botocore nor s3fs tries again by itself, or every
    pause would be multiplied by theirs.
    """
    files = fsspec.filesystem(
        "s3",
        use_listings_cache=False,  # listings must show what others write meanwhile
        config_kwargs={
            "connect_timeout": patience.connect,
            "read_timeout": patience.silence,
            "max_pool_connections": 32,
            "retries": {"total_max_attempts": 1},
        },
    )
    files.retries = 1
    return files
