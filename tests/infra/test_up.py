"""All servers of one machine from the command line, a run that uses every one of them, and nothing left behind."""

import json
import socket
import subprocess
import sys

import psutil
import pytest
from safetensors.torch import load_file, save

from infra.services.ports import free_ports
from infra.services.process import is_alive
from infra.smoke import ended
from infra.stack import PORTS, Stack
from mapmerge.ledger.runs import open_run
from mapmerge.ledger.store import Store
from tests.following import ROOT, follow, shell_blocks
from tests.s3_server import reaching

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("postgres_installed")]
TUTORIAL = ROOT / "docs" / "tutorial-server.md"


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


def learn(stack, family, folder):
    """Run the commands of the tutorial between `make up` and `make down`."""
    folder.mkdir()
    changes = {
        "make up\n": "",
        "make down\n": "",
        ". .mapmerge/env\n": f". {stack.env_file}\n",
        "mapmerge zoo build vision --experts 2 --out zoo\n": f"cp -r {family} zoo\n",
        "127.0.0.1:6379": stack.ray.address,
    }
    return follow("".join(shell_blocks(TUTORIAL)), changes, folder)


def extend_when_an_expert_arrives(stack, zoo):
    """Put one more expert under a prefix of the bucket, and see the front extended that the tutorial has left there."""
    weights = [load_file(zoo / name / "model.safetensors") for name in ("upright", "reversed")]
    between = {name: (weights[0][name] + weights[1][name]) / 2 for name in weights[0]}
    with reaching(stack.environment()):
        Store("s3://mapmerge/experts").create("between/model.safetensors", save(between))
    study, overrides = str(zoo / "study.yaml"), ["compute.executor=ray", f"compute.address={stack.ray.address}"]
    deployment = stack.prefect.ask("deployments/name/watch-family/watch-family")["id"]
    asked = {"study": study, "experts": "s3://mapmerge/experts", "overrides": overrides, "settled_minutes": 0}

    def watch():
        before = {run["id"] for run in searches(stack)}
        run = stack.prefect.ask(f"deployments/{deployment}/create_flow_run", {"parameters": asked})
        assert ended(stack.prefect, run["id"], 240.0)["type"] == "COMPLETED"
        return [run for run in searches(stack) if run["id"] not in before]

    (started,) = watch()
    assert started["parameters"]["extend"] == "s3://mapmerge/out/runs/second"
    assert ended(stack.prefect, started["id"], 240.0)["type"] == "COMPLETED"
    with reaching(stack.environment()):
        result = open_run(f"s3://mapmerge/out/runs/{started['parameters']['run_id']}").get_json("result")
    assert result["experts"] == ["upright", "reversed", "between"]
    assert result["evaluations_reused"] > 0
    assert watch() == []


def searches(stack):
    """Return the flow runs of `find-front`."""
    return stack.prefect.ask("flow_runs/filter", {"flows": {"name": {"any_": ["find-front"]}}})


def test_a_team_uses_all_servers_and_down_leaves_nothing(command, place, digits_family):
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

    learned = learn(stack, digits_family, place / "learner")
    assert learned.returncode == 0, learned.stdout + learned.stderr
    assert "s3://mapmerge/out/runs/first" in learned.stdout
    found = prefect.ask("flow_runs/filter", {"flow_runs": {"name": {"any_": ["first", "second"]}}})
    assert [run["state_type"] for run in found] == ["COMPLETED", "COMPLETED"]
    with reaching(environment):
        first, second = (open_run(f"s3://mapmerge/out/runs/{name}").get_json("result") for name in ("first", "second"))
    assert first["provenance"]["executor"] == "ray"
    assert second["evaluations"] < second["evaluations_reused"]
    extend_when_an_expert_arrives(stack, place / "learner" / "zoo")

    health = prefect.ask("deployments/name/check-health/check-health")
    assert health["parameters"] == {"store": "s3://mapmerge/out", "ray": stack.ray.address}
    assert [schedule["active"] for schedule in health["schedules"]] == [True]

    smoke = command("smoke", "--study", digits_family / "study.yaml")
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    told = smoke.stdout.splitlines()
    assert [line.split()[0] for line in told[:2] + told[-2:]] == ["triggered", "is", "is", "front"]
    assert told[-2].split()[1] == "Completed"
    assert "s3://mapmerge/smoke/runs/smoke-" in told[-1]
    none = command("smoke", "--study", place / "none.yaml")
    assert (none.returncode, none.stdout) == (1, "")
    assert "expected a study file, there is none" in none.stderr

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
