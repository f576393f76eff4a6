"""Files on S3 for tests."""

from pathlib import Path

from mapmerge.ledger.patience import Patience
from mapmerge.ledger.remote_objects import ask
from mapmerge.ledger.store import Store

QUICK = Patience(silence=5.0, in_all=60.0, pause=0.01, longest_pause=0.05)


def upload(folder: Path, uri: str) -> None:
    """Put all files of a folder on S3."""
    store = Store(uri)
    for path in folder.rglob("*"):
        if path.is_file():
            store.replace(path.relative_to(folder).as_posix(), path.read_bytes())


def put(uri: str, data: bytes) -> None:
    """Write one object, in the place of what was there."""
    ask(uri, QUICK, lambda files: files.pipe_file(uri, data))
