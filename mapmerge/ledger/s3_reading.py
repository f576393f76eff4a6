"""Many small objects of S3, fetched side by side with little work for each; what is unusual is left to others."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

FEWEST = 32
"""Objects from which on it is worth it: the first request costs more than those of s3fs do."""

_CONNECTIONS = 16
_ERROR_LIMIT = 2**16  # bytes that say why there is no object


class _UnusualError(Exception):
    pass


def read_plain(files: Any, paths: Sequence[str], limit: int, within: float) -> dict[str, bytes | None]:
    """Fetch objects by requests that are signed and nothing else; at the first unusual answer all of them stop.

    A request of s3fs takes several times the processor time of the answer, since it is made ready for everything that
    S3 can do. Here s3fs lends its connections, says where the bucket is and with which credentials, and botocore
    signs. Nothing that goes wrong is raised: whoever asks s3fs for what was not answered hears what it was.

    Args:
        files: the S3 file system of s3fs.
        paths: `bucket/key`, all of one bucket.
        limit: the most bytes of an object; a larger one is unusual.
        within: how long all of this may take, in seconds.

    Returns:
        By path the bytes, None where there is no such object; a path without an answer is not in it.
    """
    from fsspec.asyn import sync

    found: dict[str, bytes | None] = {}
    try:
        sync(files.loop, _read, files, paths, limit, found, timeout=within)
    except Exception as error:
        # Not its text, which may repeat what was sent.
        logging.getLogger(__name__).debug("%d objects were left: %s", len(paths) - len(found), type(error).__name__)
    return found


async def _read(files: Any, paths: Sequence[str], limit: int, found: dict[str, bytes | None]) -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest

    bucket = paths[0].partition("/")[0]
    await files.set_session()
    client = await files.get_s3(bucket)
    credentials = await (await files.session.get_credentials()).get_frozen_credentials()
    sign = S3SigV4Auth(credentials, "s3", client.meta.region_name).add_auth
    send = client._endpoint.http_session.send  # its connections, certificates and proxies; s3fs looks here too
    place = await _place(client, bucket)
    left = iter(paths)

    async def work() -> None:
        for path in left:
            url = place + quote(path.removeprefix(f"{bucket}/"), safe="/~")
            request = AWSRequest("GET", url, stream_output=True)
            sign(request)
            answer = (await send(request.prepare())).raw
            if answer.status == 200:
                found[path] = await _body(answer, limit)
            elif answer.status == 404 and b"<Code>NoSuchKey</Code>" in await _body(answer, _ERROR_LIMIT):
                found[path] = None
            else:
                answer.close()
                raise _UnusualError

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(work())


async def _place(client: Any, bucket: str) -> str:
    """Return the URL that keys of a bucket are appended to: where the bucket is named, is the client's to say."""
    url = await client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    return str(url).partition("?")[0].removesuffix("k")


async def _body(answer: Any, limit: int) -> bytes:
    """Return an answer to its end; half of one raises, and so does more than the limit."""
    data = bytearray()
    async for piece in answer.content.iter_any():
        data += piece
        if len(data) > limit:
            answer.close()
            raise _UnusualError
    return bytes(data)
