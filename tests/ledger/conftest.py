import uuid

import pytest

from mapmerge.ledger.store import Store


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    """An empty store of each kind that needs no server."""
    return Store(f"file://{tmp_path}/store" if request.param == "file" else f"memory://{uuid.uuid4().hex}")
