"""Where HTML pages go: a file of this machine, or an object on S3."""

import posixpath
from pathlib import Path
from urllib.parse import quote

from mapmerge.errors import BadInputError
from mapmerge.files.objects import is_remote
from mapmerge.files.upload import write_object


def require_place(out: str) -> None:
    """Refuse a place where no page can be written, before anything is read.

    Raises:
        BadInputError: a folder, or a file in a folder that does not exist.
        ConfigError: another kind of URI than S3.
    """
    path = Path(out)
    if not is_remote(out) and (path.is_dir() or not path.parent.is_dir()):
        raise BadInputError(f"{path}: expected a file name in a folder that exists")


def write_page(out: str, page: str) -> str:
    """Write a page, in the place of what was there, and return where.

    Raises:
        BadInputError: a folder, or a file in a folder that does not exist.
        StoreRefusedError: S3 does not let us in.
    """
    require_place(out)
    if is_remote(out):
        write_object(out, page.encode())
    else:
        Path(out).write_text(page, encoding="utf-8")
    return out


def relative_folder(folder: str, out: str) -> str | None:
    """Return the way from a page to a folder as a relative URL: empty, or ending in `/`; None where there is none.

    Args:
        folder: `file:///folder` or `s3://bucket/folder`.
        out: where the page goes: a path, or `s3://bucket/file.html`.

    >>> relative_folder("s3://bucket/team/out", "s3://bucket/team/out/index.html")
    ''
    >>> relative_folder("file:///data/out", "/data/pages/all runs.html"), relative_folder("s3://a/out", "page.html")
    ('../out/', None)
    """
    scheme, _, there = folder.partition("://")
    if is_remote(out) != (scheme == "s3"):
        return None
    here = out.removeprefix("s3://") if is_remote(out) else Path(out).absolute().as_posix()
    if is_remote(out) and here.split("/")[0] != there.split("/")[0]:
        return None
    way = posixpath.relpath(posixpath.normpath(there), posixpath.dirname(posixpath.normpath(here)))
    return "" if way == "." else f"{quote(way)}/"
