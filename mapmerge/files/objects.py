"""One version of one object on S3: found, and read in parts side by side."""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.asyn import sync

from mapmerge.errors import BadInputError, ConfigError, IntegrityError, MissingFileError
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.remote_objects import ask
from mapmerge.ledger.s3_answers import Meaning, meaning

PART = 8 * 2**20
"""Bytes a request."""

_AT_ONCE = 8
_SCHEME = "s3://"


class ChangedObjectError(BadInputError):
    """An object was replaced while it was read."""


class _ChangedError(Exception):
    """As above, but nothing that a file system could have raised."""


def is_remote(location: str) -> bool:
    """Tell whether a location is a URI on S3, and not a path.

    Raises:
        ConfigError: it is another kind of URI.

    >>> is_remote("s3://bucket/base"), is_remote("models/base")
    (True, False)
    """
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", location)
    if scheme and scheme[0] != _SCHEME:
        raise ConfigError(f"{location}: expected a path or s3://bucket/key, came {scheme[0]}")
    return scheme is not None


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of a URI.

    Raises:
        ConfigError: one of them is missing.

    >>> split("s3://bucket/a/b/")
    ('bucket', 'a/b')
    """
    bucket, _, key = uri.removeprefix(_SCHEME).partition("/")
    key = key.strip("/")
    if not bucket or not key:
        raise ConfigError(f"{uri}: expected s3://bucket/key")
    return bucket, key


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object as it was when it was found; all that is read later is of this version, or an error.

    Args:
        uri: where it is.
        size: in bytes.
        etag: what the server calls this version.
        md5: of the bytes in hex, where the server tells it.
        server: where the server is.
        patience: how long it is waited for.
    """

    uri: str
    size: int
    etag: str
    md5: str | None
    server: str
    patience: Patience

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes `[start, stop)`.

        Raises:
            ChangedObjectError: the object is no longer this version.
        """
        return b"".join(self.read_many([(start, stop)]))

    def read_many(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        """Return ranges of bytes, each asked for by one request, side by side; see `read` for what is raised."""
        found: dict[tuple[int, int], bytes] = {span: b"" for span in ranges if span[0] == span[1]}

        def fetch(files: Any) -> None:  # asked again, it asks only for what did not come
            left = [span for span in ranges if span not in found]
            results = sync(files.loop, self._gather, files, left, timeout=self.patience.call)
            failed = []
            for span, result in zip(left, results, strict=True):
                if isinstance(result, BaseException):
                    failed.append(result)
                else:
                    found[span] = result
            if failed:  # and if some will not pass, these should be told
                raise min(failed, key=lambda error: meaning(error) is Meaning.PASSING)

        try:
            ask(self.uri, self.patience, fetch)
        except (_ChangedError, FileNotFoundError) as error:
            raise ChangedObjectError(
                f"{self.uri}: was replaced or removed while it was read; leave it alone during a run, and try again"
            ) from error
        return [found[span] for span in ranges]

    def copy(self, to: Path) -> None:
        """Write all bytes to a new file, in bounded memory; see `read` for what is raised.

        Raises:
            IntegrityError: what arrived has another MD5 than the server told.
        """
        digest = hashlib.md5(usedforsecurity=False)  # whether they arrived, not whether they can be trusted
        with to.open("xb") as file:
            for data in self._all():
                digest.update(data)
                file.write(data)
        if self.md5 is not None and digest.hexdigest() != self.md5:
            raise IntegrityError(
                f"{self.uri}: expected bytes with the MD5 {self.md5}, came {digest.hexdigest()}; they were damaged on "
                "the way or in the store: try again, then upload the file once more"
            )

    def _all(self) -> Iterator[bytes]:
        starts = range(0, self.size, PART)
        for first in range(0, len(starts), _AT_ONCE):
            few = [(start, min(start + PART, self.size)) for start in starts[first : first + _AT_ONCE]]
            yield from self.read_many(few)

    async def _gather(self, files: Any, ranges: list[tuple[int, int]]) -> list[bytes | BaseException]:
        return await asyncio.gather(*(self._part(files, *span) for span in ranges), return_exceptions=True)

    async def _part(self, files: Any, start: int, stop: int) -> bytes:
        bucket, key = split(self.uri)
        try:
            answer = await files._call_s3(
                "get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{stop - 1}", IfMatch=self.etag
            )
        except Exception as error:
            if meaning(error) is Meaning.TAKEN:  # 412: it does not match
                raise _ChangedError from None  # or its cause would be taken for the meaning
            raise
        try:
            if answer["ETag"] != self.etag:  # a server that does not know If-Match
                raise _ChangedError
            # Asked before it is read: a server that does not know ranges would send everything.
            data = bytes(await answer["Body"].read()) if answer.get("ContentLength") == stop - start else b""
        finally:
            answer["Body"].close()
        if len(data) != stop - start:
            raise ConnectionError("half of an answer, or too much")
        return data


def find(uri: str, patience: Patience) -> RemoteObject:
    """Find an object.

    Raises:
        MissingFileError: there is none.
        StoreRefusedError: wrong credentials or rights, or no such bucket.
    """
    bucket, key = split(uri)

    def head(files: Any) -> tuple[Any, str]:
        return files.call_s3("head_object", Bucket=bucket, Key=key), str(files.s3.meta.endpoint_url)

    try:
        about, server = ask(uri, patience, head)
    except FileNotFoundError as error:
        listed(f"{_SCHEME}{bucket}/{key}", patience)  # a missing bucket gives the same answer, but not here
        raise MissingFileError(f"{uri}: there is no such object") from error
    return RemoteObject(uri, int(about["ContentLength"]), str(about["ETag"]), _md5(bucket, about), server, patience)


def listed(uri: str, patience: Patience) -> list[str]:
    """Return the names of the first objects in a folder, without those of folders in it."""
    bucket, key = split(uri)

    def names(files: Any) -> list[str]:
        answer = files.call_s3("list_objects_v2", Bucket=bucket, Prefix=f"{key}/", Delimiter="/", MaxKeys=1000)
        return [str(entry["Key"]).removeprefix(f"{key}/") for entry in answer.get("Contents", [])]

    return ask(uri, patience, names)


def _md5(bucket: str, about: Any) -> str | None:
    """Return the MD5 where the ETag is one: it is not where parts were uploaded or the server holds the keys."""
    etag = str(about["ETag"]).strip('"')
    encrypted = about.get("ServerSideEncryption") not in (None, "AES256") or "SSECustomerAlgorithm" in about
    if encrypted or bucket.endswith("--x-s3") or not re.fullmatch(r"[0-9a-f]{32}", etag):
        return None
    return etag
