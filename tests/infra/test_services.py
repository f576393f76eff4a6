"""Each server really starts, answers to those who may ask, stops, and keeps what it was given."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from infra.services.ports import free_ports, is_free
from infra.services.postgres import Postgres
from infra.services.prefect_server import PrefectServer
from infra.services.process import is_alive
from infra.services.ray_head import RayHead, RayNode
from infra.services.seaweed import Seaweed
from infra.services.service import PortTakenError, ServiceError

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def ask(url, statement="SELECT 1"):
    """Ask a database one value."""

    async def go():
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(go())


def test_seaweed_is_found_again_and_keeps_its_objects(place):
    with Seaweed(place / "s3") as server:
        server._client.put_object(Bucket=server.bucket, Key="a", Body=b"1")
        other = Seaweed(place / "s3")
        assert other.is_running
        assert (other.pid, other.environment()) == (server.pid, server.environment())
        with pytest.raises(ServiceError, match="runs already"):
            other.start()
        server.kill()
        assert not other.is_running
        server.start()
        assert server._client.get_object(Bucket=server.bucket, Key="a")["Body"].read() == b"1"
        pid = server.pid
    assert not psutil.pid_exists(pid)
    assert is_free(server.ports["s3"])
    assert (place / "s3" / "secret").stat().st_mode & 0o777 == 0o600


def test_postgres_lets_in_whoever_has_its_password(place, postgres_installed):
    server = Postgres(place / "postgres")
    with server:
        ask(server.url, statement="CREATE TABLE kept AS SELECT 7 AS n")
        wrong = server.url.replace(server.url.split(":")[2].split("@")[0], "wrong")
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(wrong)
        assert os.geteuid() != 0 or psutil.Process(server.pid).uids().real != 0
        listening = [each for each in psutil.Process(server.pid).net_connections() if each.status == "LISTEN"]
        assert {each.laddr.ip for each in listening} == {"127.0.0.1"}
    with Postgres(place / "postgres") as again:
        assert ask(again.url, statement="SELECT n FROM kept") == 7
        late = Postgres(place / "late", port=again.ports["postgres"])
        with pytest.raises(PortTakenError, match=str(again.ports["postgres"])):
            late.start()
        assert not late.is_running
    assert (place / "postgres" / "password").stat().st_mode & 0o777 == 0o600


def test_postgres_starts_again_where_it_was_killed_and_nobody_noticed(place, postgres_installed):
    code = """
import sys, time
from pathlib import Path
from infra.services.postgres import Postgres
Postgres(Path(sys.argv[1])).start(keep=True)
print(flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place / "postgres")], cwd=ROOT, stdout=subprocess.PIPE
    ) as parent:
        try:
            parent.stdout.readline()
            server = Postgres(place / "postgres")
            killed = psutil.Process(server.pid)
            killed.kill()
            while killed.status() != psutil.STATUS_ZOMBIE:  # until its parent asks for it, it has its number
                time.sleep(0.01)
            with server:
                assert server.pid != killed.pid
                assert ask(server.url) == 1
                os.kill(server.pid, signal.SIGKILL)
                while server.is_running:
                    time.sleep(0.01)
                server.start()
                assert ask(server.url) == 1
                note = str(place / "postgres" / "process.json")
                guards = [each for each in psutil.Process().children() if note in each.cmdline()]
                assert len(guards) == 1
        finally:
            parent.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")
def test_postgres_says_which_folder_it_cannot_enter(place, postgres_installed):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ServiceError, match=f"cannot enter {closed}: .*chmod"):
        Postgres(closed / "postgres").start()


def test_prefect_keeps_what_it_knows_in_postgres(place, postgres_installed):
    with Postgres(place / "postgres") as database, PrefectServer(place / "prefect", database.url) as server:
        server.ask("work_pools/", {"name": "there", "type": "process"})
        assert ask(database.url, statement="SELECT name FROM work_pool") == "there"
        assert not list(place.rglob("*.db"))


def test_a_ray_node_joins_and_is_missed_when_it_dies(place):
    driver = """
import sys, time, ray
ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
print(ray.get(ray.remote(resources={"away": 1})(lambda: "from the node").remote()), flush=True)
sys.stdin.readline()
while sum(node["Alive"] for node in ray.nodes()) > 1:
    time.sleep(0.2)
print("missed")
"""
    with RayHead(place / "head", num_cpus=1) as head, RayNode(place / "node", head, away=1) as node:
        command = [sys.executable, "-c", driver, head.address]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, env={**os.environ, **head.environment()}, stdin=pipe, stdout=pipe, text=True
        ) as drives:
            assert drives.stdout.readline() == "from the node\n"
            node.kill()
            assert drives.communicate("\n", timeout=120)[0].splitlines()[-1] == "missed"


def test_ray_lets_nobody_in_without_its_token_and_listens_on_this_machine_alone(place):
    driver = "import sys, ray; ray.init(sys.argv[1], logging_level='ERROR'); print(ray.cluster_resources()['CPU'])"
    with RayHead(place / "head", num_cpus=3) as head, RayNode(place / "node", head) as node:
        (place / "other").write_text("0" * 48)
        results = []
        for changes in ({}, {"RAY_AUTH_TOKEN_PATH": str(place / "other")}):
            environment = {**os.environ, **head.environment(), **changes}
            command = [sys.executable, "-c", driver, head.address]
            results.append(subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120))
        tree = [child for pid in (head.pid, node.pid) for child in psutil.Process(pid).children(recursive=True)]
        heard = {each.laddr.ip for one in tree for each in one.net_connections() if each.status == "LISTEN"}
        assert {ip.removeprefix("::ffff:") for ip in heard} == {"127.0.0.1"}
        session = (head.folder / "session").resolve()
    let_in, refused = results
    assert (let_in.returncode, let_in.stdout) == (0, "4.0\n"), let_in.stderr
    assert refused.returncode != 0
    assert "AuthenticationError" in refused.stderr
    assert not session.exists()
    assert not any(map(is_alive, tree))


@pytest.mark.parametrize("slow", [2, 3])
def test_ray_is_started_again_where_it_lost_patience_with_itself(place, slow):
    class Slow(RayHead):
        def command(self):
            self.starts = getattr(self, "starts", 0) + 1
            if self.starts <= slow:
                return [sys.executable, "-c", "raise SystemExit('The current node timed out during startup.')"]
            return [sys.executable, "-c", SERVES, str(self.ports["ray"])]

    head = Slow(place / "ray")
    if slow == 3:
        with pytest.raises(
            ServiceError, match=r"(?s)the Ray head ended before it answered; .*timed out during startup"
        ):
            head.start()
    else:
        with head:
            assert head.is_running
    assert head.starts == 3


SERVES = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    print("Ray runtime started", flush=True)
    time.sleep(60)
"""


def test_a_server_that_does_not_start_says_why(place):
    with pytest.raises(
        ServiceError, match=r"(?s)the Prefect server ended before it answered; .*log:.*Application startup failed"
    ):
        PrefectServer(place / "prefect", "postgresql+asyncpg://nobody@no_such_host/none").start()
    assert not PrefectServer(place / "prefect").is_running


def test_a_server_ends_with_a_parent_that_is_killed(place):
    code = """
import sys, time
from pathlib import Path
from infra.services.seaweed import Seaweed
server = Seaweed(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place / "s3")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        server = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
    server.wait(timeout=60)
    assert not Seaweed(place / "s3").is_running


def test_a_server_that_is_kept_outlives_its_parent(place):
    code = """
import sys
from pathlib import Path
from infra.services.seaweed import Seaweed
Seaweed(Path(sys.argv[1])).start(keep=True)
"""
    subprocess.run([sys.executable, "-c", code, str(place / "s3")], cwd=ROOT, check=True)
    time.sleep(1.0)  # whoever would end it has had the time
    server = Seaweed(place / "s3")
    try:
        assert server.is_running
        assert server.answers()
    finally:
        server.stop()
    assert not server.is_running


def test_free_ports_are_different_and_free():
    ports = free_ports(20, second=10_000)
    assert len(set(ports)) == 20
    assert all(is_free(port) and is_free(port + 10_000) for port in ports)
