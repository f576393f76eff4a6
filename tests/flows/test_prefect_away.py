"""A Prefect server that is there and fails: the command says so, and what was begun can be resumed."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import prefect
import pytest

from infra.services.ports import free_ports
from infra.services.prefect_server import PrefectServer

pytestmark = pytest.mark.slow


class _Broken(BaseHTTPRequestHandler):
    """Answers as Prefect does while its database is away."""

    asked = 0

    def _fail(self):
        type(self).asked += 1
        greets = self.path.endswith(("/health", "/version"))
        body = json.dumps(prefect.__version__ if greets else {"exception_message": "Internal Server Error"}).encode()
        self.send_response(200 if greets else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _fail  # noqa: N815

    def log_message(self, *arguments):
        pass


@pytest.fixture
def broken_server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Broken)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_fails_is_told_in_words(start, probe_family, tmp_path, broken_server):
    study = probe_family(objectives={"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}})
    environment = {**os.environ, "PREFECT_API_URL": broken_server, "PREFECT_CLIENT_MAX_RETRIES": "1"}
    process = start("run", study, "--output", tmp_path / "out", "--run-id", "one", env=environment)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("mapmerge: the Prefect server failed (Server error '500")
    assert "`mapmerge resume`" in err
    assert _Broken.asked > 1


def test_a_server_that_comes_later_is_waited_for(start, probe_family, tmp_path):
    study = probe_family(objectives={"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}})
    server = PrefectServer(tmp_path / "prefect", port=free_ports(1)[0])
    environment = {**os.environ, **server.environment()}
    process = start("run", study, "--output", tmp_path / "out", "--run-id", "one", env=environment)
    assert process.stderr.readline() == "run one\n"
    assert process.stderr.readline() == "no Prefect server yet, waiting 60 s for it\n"
    with server:
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert server.ask("flow_runs/count", {"flows": {"name": {"any_": ["find-front"]}}}) == 1


def test_a_server_that_never_comes_is_told_in_words(mapmerge, probe_family, tmp_path, monkeypatch):
    study = probe_family(objectives={"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}})
    address = f"http://127.0.0.1:{free_ports(1)[0]}/api"
    monkeypatch.setattr("flows.drive._SERVER_PATIENCE_S", 0.1)
    with prefect.settings.temporary_settings({prefect.settings.PREFECT_API_URL: address}):
        done = mapmerge("run", study, "--output", tmp_path / "out", "--run-id", "one")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("mapmerge: ")
    assert f"Failed to reach API at {address}" in done.err
    assert "Without PREFECT_API_URL a run needs no server" in done.err


def test_prefect_inside_the_command_that_does_not_start_is_told_in_words(start, probe_family, tmp_path):
    study = probe_family(objectives={"z": {"peak": [0.8, 0.1]}, "a": {"peak": [0.1, 0.8]}})
    impatient = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "1"}
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | impatient
    process = start("run", study, "--output", tmp_path / "out", "--run-id", "one", env=environment)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert "Traceback" not in err
    assert "ephemeral Prefect API server. Is this machine very busy?" in err
