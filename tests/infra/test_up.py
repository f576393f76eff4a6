"""All servers of one machine from the command line, a run that uses every one of them, and nothing left behind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.services.ports import free_ports
from infra.services.process import is_alive
from infra.smoke import ended
from infra.stack import PORTS, Stack
from mapmerge.ledger.store import Store
from tests.s3_server import reaching

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("postgres_installed")]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(place):
    """Run `python -m infra.NAME` on servers of the test's own, on ports that are free."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))

    def call(name, *words, **changed):
        options = [f"--{which}-port={port}" for which, port in {**ports, **changed}.items()] if name == "up" else []
        command = [sys.executable, "-m", f"infra.{name}", "--folder", str(place / "stack"), *options, *map(str, words)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    yield call
    call("down")


def objects(stack, folder):
    """Return all objects of a folder of the bucket."""
    with reaching(stack.seaweed.environment()):
        store = Store(f"s3://mapmerge/{folder}")
        return store.read_many(store.list())


def test_a_run_uses_all_servers_and_down_leaves_nothing(command, place, digits_family):
    up = command("up")
    assert up.returncode == 0, up.stderr
    assert up.stdout.count(" started ") == 6
    stack = Stack(place / "stack")
    assert stack.env_file.stat().st_mode & 0o777 == 0o600
    environment, prefect = stack.environment(), stack.prefect
    for word in (stack.seaweed.key, stack.seaweed.secret, stack.ray.token.read_text(), stack.postgres.url):
        assert word not in up.stdout + up.stderr

    again = command("up")
    assert (again.returncode, again.stdout.count(" runs ")) == (0, 6), again.stderr
    moved = command("up", prefect=free_ports(1)[0])
    assert moved.returncode == 1
    assert f"the Prefect server runs on port {stack.ports['prefect']}" in moved.stderr
    assert command("status").returncode == 0

    words = [digits_family / "study.yaml", "--output", "s3://mapmerge/out", "--run-id", "everywhere"]
    words += ["--set", "compute.executor=ray", "--set", f"compute.address={stack.ray.address}"]
    shell = f'. {stack.env_file}; exec "$0" -m flows.cli run "$@"'
    said = subprocess.run(
        ["bash", "-c", shell, sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    found = prefect.ask("flow_runs/filter", {"flow_runs": {"name": {"any_": ["everywhere"]}}})
    assert [run["state_type"] for run in found] == ["COMPLETED"]

    smoke = command("smoke", "--study", digits_family / "study.yaml")
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    told = smoke.stdout.splitlines()
    assert [line.split()[0] for line in told[:2] + told[-2:]] == ["triggered", "is", "is", "front"]
    assert told[-2].split()[1] == "Completed"
    assert "s3://mapmerge/smoke/runs/smoke-" in told[-1]
    health = prefect.ask("deployments/name/check-health/check-health")
    assert health["parameters"] == {"store": "s3://mapmerge/out", "ray": stack.ray.address}
    asked = {"parameters": {"min_cpus": os.cpu_count()}}
    looked = prefect.ask(f"deployments/{health['id']}/create_flow_run", asked)["id"]
    assert ended(prefect, looked, 120.0)["type"] == "COMPLETED"
    none = command("smoke", "--study", place / "none.yaml")
    assert (none.returncode, none.stdout) == (1, "")
    assert "expected a study file, there is none" in none.stderr

    listed = subprocess.run(
        [sys.executable, "-m", "flows.cli", "runs", "s3://mapmerge/out"],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert listed.stdout.count("complete") == 1, listed.stdout + listed.stderr

    kinds = ("flow_runs", "task_runs", "deployments", "logs", "artifacts", "work_pools")
    texts = {kind: json.dumps(prefect.ask(f"{kind}/filter", {"limit": 200})).encode() for kind in kinds}
    assert b"smoke-" in texts["flow_runs"]
    logs = [service.log for service in stack.services] + list((stack.ray.folder / "session").resolve().rglob("*.log"))
    texts |= {str(log): log.read_bytes() for log in logs}
    texts |= objects(stack, "out") | objects(stack, "smoke")
    secrets = stack.seaweed.key, stack.seaweed.secret, stack.ray.token.read_text()
    assert not [name for name, text in texts.items() if any(word.encode() in text for word in secrets)]

    processes = [psutil.Process(service.pid) for service in stack.services]
    processes += [child for each in processes for child in each.children(recursive=True)]
    session = (stack.ray.folder / "session").resolve()
    down = command("down")
    assert (down.returncode, down.stdout.count(" stopped ")) == (0, 6), down.stderr
    assert not any(map(is_alive, processes))
    assert not session.exists()
    assert not stack.env_file.exists()
    assert command("status").returncode == 1
    assert command("down").stdout.count("was off") == 6


def test_a_port_that_is_taken_is_named_and_what_runs_goes_on(command, place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = command("up", postgres=port)
    assert up.returncode == 1
    assert f"port {port} " in up.stderr
    assert "--postgres-port" in up.stderr
    assert "Traceback" not in up.stderr
    stack = Stack(place / "stack")
    assert [service.name for service in stack.services if service.is_running] == ["SeaweedFS"]
    smoke = command("smoke", "--study", __file__)
    assert (smoke.returncode, smoke.stdout) == (1, "")
    assert "is off; start them by `make up`" in smoke.stderr
