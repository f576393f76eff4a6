import uuid

import pytest

from mapmerge.ledger.store import Store


def _uri(kind, request, tmp_path):
    if kind == "s3":
        return request.getfixturevalue("s3")
    return f"file://{tmp_path}/store" if kind == "file" else f"memory://{uuid.uuid4().hex}"


S3 = pytest.param("s3", marks=pytest.mark.slow)


@pytest.fixture(params=["file", "memory", S3])
def store(request, tmp_path):
    """An empty store of each kind."""
    return Store(_uri(request.param, request, tmp_path))


@pytest.fixture(params=["file", S3])
def shared_store(request, tmp_path):
    """An empty store of each kind that several processes can use."""
    return Store(_uri(request.param, request, tmp_path))
