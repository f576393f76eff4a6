"""Whether a store can keep runs is found out before a run exists."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mapmerge.errors import RunError
from mapmerge.ledger.probe import probe
from mapmerge.ledger.store import Store
from tests.s3_server import reaching


class _Careless(BaseHTTPRequestHandler):
    """An S3 server of objects that do not know conditions: what is put last is there."""

    protocol_version = "HTTP/1.1"
    server: "_Objects"

    def do_PUT(self):
        self.server.objects[self.path] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200)

    def do_GET(self):
        self.answer(200 if self.path in self.server.objects else 404, self.server.objects.get(self.path, b""))

    def do_DELETE(self):
        self.server.objects.pop(self.path, None)
        self.answer(204)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status, body=b""):
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Objects(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Careless)
        self.objects = {}


@contextmanager
def careless():
    """Run a server that creates objects in the place of others."""
    server = _Objects()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        with reaching({**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}):
            yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_nothing_is_left_of_a_probe(store):
    store.create("runs/a/study.json", b"{}")
    probe(store)
    assert store.list() == ["runs/a/study.json"]


@pytest.mark.slow
def test_a_probe_is_not_misled_by_lost_answers(spoiled):
    store, proxy = spoiled(["lose", "pass", "lose", "lose", "503"])
    probe(store)
    assert {"lose", "503"} <= set(proxy.happened)
    assert store.list() == []


@pytest.mark.slow
def test_a_server_that_lets_runs_overwrite_each_other_is_refused():
    with careless() as server:
        with pytest.raises(RunError, match=r"s3://bucket/out: .* honours `If-None-Match: \*` in PUT"):
            probe(Store("s3://bucket/out"))
        assert not server.objects
