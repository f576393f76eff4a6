"""A real S3 server for tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from infra.services.seaweed import BUCKET, Seaweed
from infra.services.service import ServiceError

__all__ = ["BUCKET", "reaching", "running", "s3", "s3_server"]

_reached: dict[str, str] = {}


@contextmanager
def running() -> Iterator[Seaweed]:
    """Run a server with one bucket while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="mapmerge-s3-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for attempt in range(3):
            server = Seaweed(folder)
            try:
                server.start()
                break
            except ServiceError:  # somebody took one of the ports meanwhile
                if attempt == 2:
                    raise
        stack.callback(server.stop)
        yield server


@contextmanager
def reaching(environment: dict[str, str]) -> Iterator[None]:
    """Let this process, and those it starts, reach an S3 server while the block runs."""
    from s3fs import S3FileSystem

    def switch(to: dict[str, str]) -> None:
        if _reached != to:  # a file system keeps the credentials it was made with
            S3FileSystem.clear_instance_cache()
            _reached.clear()
            _reached.update(to)

    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        before = dict(_reached)
        switch(environment)
        yield
        switch(before)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Seaweed]:
    """One S3 server for the whole session; nobody reaches it who does not ask for `s3`, or uses `reaching`."""
    with running() as server:
        yield server


@pytest.fixture
def s3(s3_server: Seaweed) -> Iterator[str]:
    """The URI of a store on S3 that nobody has used, and the environment to reach it."""
    with reaching(s3_server.environment()):
        yield s3_server.uri()
