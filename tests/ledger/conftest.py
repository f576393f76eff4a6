import contextlib
import uuid

import pytest

from infra.services.fault_proxy import faulty
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.store import Store
from tests.s3_server import reaching

QUICK = Patience(silence=5.0, in_all=60.0, pause=0.01, longest_pause=0.05)


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


@pytest.fixture
def spoiled(s3_server):
    """Open an unused store behind a proxy with these faults: `store, proxy = spoiled(faults)`."""
    with contextlib.ExitStack() as stack:

        def open_store(faults):
            proxy = stack.enter_context(faulty(s3_server.endpoint, faults))
            stack.enter_context(reaching(s3_server.environment(proxy.endpoint)))
            return Store(s3_server.uri(), patience=QUICK), proxy

        yield open_store
