"""What happens by itself on a server with PostgreSQL and a worker: a schedule, and people who are told."""

import json
import os
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.deploying.declared import FILE
from infra.services.postgres import Postgres
from infra.services.prefect_server import PrefectServer
from infra.services.prefect_worker import PrefectWorker
from infra.services.service import ROOT
from infra.smoke import ended
from tests.waiting import wait_for

pytestmark = pytest.mark.slow


class Told(ThreadingHTTPServer):
    """Whoever is notified: keeps what was posted to it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Post)
        self.messages = []

    def about(self, flow_run, word):
        return [each for each in self.messages if flow_run in each["subject"] and word in each["subject"]]


class _Post(BaseHTTPRequestHandler):
    server: Told

    def do_POST(self):
        self.server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def told():
    server = Told()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def silent():
    """The variables of an S3 server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
        }


@pytest.fixture(scope="module")
def servers(lasting_place, told, silent, postgres_installed):
    """A Prefect server on PostgreSQL that tells somebody of failed and late runs, and a worker."""
    place = lasting_place
    with Postgres(place / "postgres") as database, PrefectServer(place / "prefect", database.url) as prefect:
        kind = prefect.ask("block_types/slug/custom-webhook")["id"]
        schema = prefect.ask("block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind]}}})[0]["id"]
        said = {"subject": "{{subject}}", "body": "{{body}}"}
        data = {"name": "team", "url": f"http://127.0.0.1:{told.server_port}/", "method": "POST", "json_data": said}
        block = {"name": "team", "data": data, "block_type_id": kind, "block_schema_id": schema}
        prefect.ask("block_documents/", block)
        worker = PrefectWorker(place / "worker")
        worker.extra = {**prefect.environment(), **silent, "MAPMERGE_NOTIFY": "custom-webhook/team"}
        with worker:
            yield prefect, worker


def trigger(prefect, name, **parameters):
    deployment = prefect.ask(f"deployments/name/{name}/{name}")["id"]
    return prefect.ask(f"deployments/{deployment}/create_flow_run", {"parameters": parameters})


def test_somebody_is_told_of_a_run_that_failed_and_of_no_other(servers, told, tmp_path):
    prefect, _ = servers
    well = trigger(prefect, "check-health", store=str(tmp_path / "out"))
    assert ended(prefect, well["id"], 240.0)["type"] == "COMPLETED"
    ill = trigger(prefect, "check-health", store=str(tmp_path / "out"), ray="127.0.0.1:9")
    assert ended(prefect, ill["id"], 240.0)["type"] == "FAILED"
    (message,) = wait_for(lambda: told.about(ill["name"], "Failed"), "nobody was told")
    assert "cluster: no Ray cluster at '127.0.0.1:9'" in message["body"]
    assert f"/runs/flow-run/{ill['id']}" in message["body"]
    assert not told.about(well["name"], "Failed")


def test_somebody_is_told_that_nobody_takes_a_run_up(servers, told, tmp_path):
    prefect, worker = servers
    worker.stop()
    late = trigger(prefect, "check-health", store=str(tmp_path / "out"))
    (message,) = wait_for(lambda: told.about(late["name"], "is late"), "nobody was told")
    assert "Is a worker of its work pool running" in message["body"]
    worker.start()
    assert ended(prefect, late["id"], 240.0)["type"] == "COMPLETED"


def test_a_schedule_begins_a_run_at_its_time_unless_one_still_goes_on(servers, tmp_path):
    prefect, worker = servers
    every_20_s = tmp_path / "prefect.yaml"
    every_20_s.write_text(FILE.read_text().replace('cron: "*/15 * * * *"', 'cron: "* * * * * */20"'))
    environment = {**os.environ, **worker.extra, "MAPMERGE_OUTPUT": str(tmp_path / "out")}
    deploy = [sys.executable, "-m", "flows.cli", "deploy", "--production", "--file", str(every_20_s)]
    endless = trigger(prefect, "check-health", store="s3://nowhere/out")
    wait_for(lambda: state(prefect, endless) == "RUNNING", "it does not begin")
    subprocess.run(deploy, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    turned_away = wait_for(lambda: scheduled(prefect, "CANCELLED"), "the schedule does nothing")[0]
    assert "concurrency limit reached" in turned_away["state"]["message"]
    assert turned_away["run_count"] == 0
    assert state(prefect, endless) == "RUNNING"
    prefect.ask(f"flow_runs/{endless['id']}/set_state", {"state": {"type": "CANCELLING"}})
    run = wait_for(lambda: scheduled(prefect, "COMPLETED"), "the schedule goes on doing nothing")[0]
    begun, meant = (datetime.fromisoformat(run[time]) for time in ("start_time", "expected_start_time"))
    assert begun > meant - timedelta(seconds=10)  # so much before its time a worker may start the process of a run
    assert run["parameters"]["store"] == str(tmp_path / "out")
    subprocess.run([*deploy[:3], "deploy"], env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert not scheduled(prefect, "SCHEDULED")


def state(prefect, flow_run):
    return prefect.ask(f"flow_runs/{flow_run['id']}")["state_type"]


def scheduled(prefect, kind):
    """Return the runs of `check-health` in a type of states that nobody asked for."""
    asked = {"flow_runs": {"state": {"type": {"any_": [kind]}}}, "flows": {"name": {"any_": ["check-health"]}}}
    return [each for each in prefect.ask("flow_runs/filter", asked) if each["auto_scheduled"]]
