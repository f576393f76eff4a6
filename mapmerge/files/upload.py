"""Write to S3: files in parts, each visible only once it is whole, and a folder only once all of it is there."""

import secrets
from asyncio import gather
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fsspec.asyn import sync

from mapmerge.errors import ConfigError, IntegrityError, MapmergeError
from mapmerge.files.objects import split
from mapmerge.ledger.patience import HASTY, Patience
from mapmerge.ledger.remote_objects import ask
from mapmerge.ledger.s3_answers import Meaning, meaning

PART = 16 * 2**20
"""Bytes a request, at least; S3 takes 10 000 parts an object."""

_MOST_PARTS = 10_000
_AT_ONCE = 4
_PATIENCE = Patience()
_WRITER = "writer"


def write_object(uri: str, data: bytes, *, patience: Patience = _PATIENCE) -> None:
    """Write one object, in the place of what was there.

    Raises:
        StoreRefusedError: wrong credentials or rights, or no such bucket.
        StoreAwayError: S3 did not answer for as long as it was waited for.
    """
    path = "/".join(split(uri))
    ask(uri, patience, lambda files: files.pipe_file(path, data, timeout=patience.call))


def upload_folder(folder: Path, uri: str, *, last: str, patience: Patience = _PATIENCE) -> None:
    """Write the files of a folder as objects, of which nobody sees any before all have arrived.

    Every file is uploaded in parts, which are no object yet; then the uploads are completed, one after the other. Where
    anything fails, nothing of it stays. A process that is killed leaves parts at most, which no listing shows; in the
    moment of completing it may leave some of the files, but never `last`.

    Args:
        folder: with files and no folders.
        uri: where to, `s3://bucket/folder`; nothing may be there.
        last: name of the file without which the others are nothing.
        patience: how long S3 is waited for.

    Raises:
        ConfigError: something is there already.
        StoreRefusedError: wrong credentials or rights, or no such bucket.
        StoreAwayError: S3 did not answer for as long as it was waited for.
    """
    uri = uri.rstrip("/")
    require_free(uri, patience=patience)
    paths = sorted(folder.iterdir(), key=lambda path: (path.name == last, path.name))
    uploads: list[_Upload] = []
    try:
        for path in paths:
            uploads.append(_Upload(path, f"{uri}/{path.name}", patience))
            uploads[-1].send()
        for upload in uploads:
            upload.complete()
    except BaseException:
        for upload in uploads:
            upload.undo()
        raise


def require_free(uri: str, *, patience: Patience = _PATIENCE) -> None:
    """Raise unless nothing is below a URI.

    Raises:
        ConfigError: something is there.
    """
    bucket, key = split(uri)

    def inside(files: Any) -> bool:
        return bool(files.call_s3("list_objects_v2", Bucket=bucket, Prefix=f"{key}/", MaxKeys=1).get("Contents"))

    if ask(uri, patience, inside):
        raise _taken(uri)


class _Upload:
    """One file on its way to be an object."""

    def __init__(self, path: Path, uri: str, patience: Patience) -> None:
        self._path, self._uri, self._patience = path, uri, patience
        self._size, self._word = path.stat().st_size, secrets.token_hex(16)
        bucket, key = split(uri)
        self._where = {"Bucket": bucket, "Key": key}
        self._id: str | None = None
        self._is_there = False

    def send(self) -> None:
        """Send all parts; nothing is visible yet."""
        # The word tells later whose object it is, where an answer was lost.
        started = self._call("create_multipart_upload", Metadata={_WRITER: self._word})
        self._id = str(started["UploadId"])
        step = max(PART, -(-self._size // _MOST_PARTS))
        starts = list(range(0, self._size, step)) or [0]
        self._parts: list[dict[str, Any]] = []
        with self._path.open("rb") as file:
            for first in range(0, len(starts), _AT_ONCE):
                few = range(first, min(first + _AT_ONCE, len(starts)))
                self._parts += self._send([(number + 1, file.read(step)) for number in few])

    def complete(self) -> None:
        """Let the object appear, unless there is one."""
        try:
            self._is_there = True  # it may be, whatever the answer; `undo` looks whose it is
            self._call(
                "complete_multipart_upload", UploadId=self._id, IfNoneMatch="*", MultipartUpload={"Parts": self._parts}
            )
        except (FileNotFoundError, _TakenError) as error:  # also where the first answer was lost, and this is another
            if not self._is_ours():
                raise _taken(self._uri) from error
        about = self._call("head_object")
        if int(about["ContentLength"]) != self._size:
            raise IntegrityError(
                f"{self._uri}: expected {self._size} bytes as they were sent, the server has {about['ContentLength']}"
            )

    def undo(self) -> None:
        """Leave nothing behind, as far as the server still answers."""
        self._patience = HASTY
        with suppress(MapmergeError, OSError):
            if self._id is not None:
                self._call("abort_multipart_upload", UploadId=self._id)
        with suppress(MapmergeError, OSError):
            if self._is_there and self._is_ours():
                self._call("delete_object")

    def _is_ours(self) -> bool:
        try:
            return bool(self._call("head_object")["Metadata"].get(_WRITER) == self._word)
        except FileNotFoundError:
            return False

    def _send(self, parts: Sequence[tuple[int, bytes]]) -> list[dict[str, Any]]:
        sent: dict[int, str] = {}

        async def send(files: Any) -> list[Any]:
            calls = (
                files._call_s3("upload_part", **self._where, UploadId=self._id, PartNumber=number, Body=data)
                for number, data in parts
                if number not in sent
            )
            return await gather(*calls, return_exceptions=True)

        def act(files: Any) -> None:  # asked again, it sends only what did not arrive
            left = [number for number, _ in parts if number not in sent]
            answers = sync(files.loop, send, files, timeout=self._patience.call)
            for number, answer in zip(left, answers, strict=True):
                if not isinstance(answer, BaseException):
                    sent[number] = str(answer["ETag"])
            failed = [answer for answer in answers if isinstance(answer, BaseException)]
            if failed:
                raise min(failed, key=lambda error: meaning(error) is Meaning.PASSING)

        ask(self._uri, self._patience, act)
        return [{"PartNumber": number, "ETag": sent[number]} for number, _ in parts]

    def _call(self, method: str, **arguments: Any) -> Any:
        def act(files: Any) -> Any:
            try:
                return sync(files.loop, files._call_s3, method, **self._where, **arguments, timeout=self._patience.call)
            except Exception as error:
                if meaning(error) is Meaning.TAKEN:
                    raise _TakenError from None  # or its cause would be taken for the meaning
                raise

        return ask(self._uri, self._patience, act)


class _TakenError(Exception):
    """There is such an object; nothing that a file system could have raised."""


def _taken(uri: str) -> ConfigError:
    return ConfigError(f"{uri}: already exists; name a new folder, nothing is overwritten")
