"""A folder in which any server can run."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.services.postgres import program
from infra.services.service import ServiceError


@pytest.fixture(scope="session")
def postgres_installed():
    """Skip what needs PostgreSQL where it is not installed: no Python package has it."""
    try:
        program("postgres")
    except ServiceError as error:
        pytest.skip(str(error))


@contextmanager
def open_place():
    """Give an empty folder that others can enter: PostgreSQL runs as another user when this is root."""
    folder = Path(tempfile.mkdtemp(prefix="mapmerge-infra-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def place():
    """A folder for the servers of one test."""
    with open_place() as folder:
        yield folder


@pytest.fixture(scope="module")
def lasting_place():
    """A folder for servers that the tests of a module share."""
    with open_place() as folder:
        yield folder
