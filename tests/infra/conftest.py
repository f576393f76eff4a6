"""A folder in which any server can run."""

import shutil
import tempfile
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


@pytest.fixture
def place():
    """An empty folder that others can enter: PostgreSQL runs as another user when this is root."""
    folder = Path(tempfile.mkdtemp(prefix="mapmerge-infra-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)
