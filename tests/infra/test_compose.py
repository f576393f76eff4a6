"""The containers of one machine: they are what `make up` starts, and show nothing to other machines."""

import re

from infra.services.postgres import ACCESS, DATABASE, USER, Postgres
from infra.services.prefect_server import PrefectServer
from infra.services.prefect_worker import DEPLOY, POOL, PrefectWorker
from infra.services.ray_head import RayHead
from infra.services.seaweed import Seaweed
from infra.stack import BUCKET
from tests.infra.declared import DOCKER, ROOT, compose, one, ray_clusters, settings


def services():
    return compose()["services"]


def words(service):
    """Return what a container runs, as one would type it."""
    return [str(word) for word in services()[service]["command"]]


def options(command):
    """Return what a command line switches on or off, without the name of the program."""
    return {str(word) for word in command if str(word).startswith("-")}


def test_the_files_are_what_compose_reads():
    assert set(compose("compose.gpu.yaml")["services"]) < set(services())


def test_whoever_runs_on_is_asked_how_it_is_and_others_wait_for_that():
    for name, service in services().items():
        assert ("healthcheck" in service) == (name != "deployments"), name
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, (name, needed)
    waits = {name: set(service.get("depends_on", {})) for name, service in services().items()}
    assert waits["prefect-server"] == {"postgres"}
    assert waits["ray-worker"] == {"ray-head", "seaweedfs"}
    assert waits["prefect-worker"] == {"prefect-server", "ray-worker"}
    assert waits["deployments"] == {"prefect-worker"}


def test_ports_are_open_on_this_machine_alone():
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert {name for name, service in services().items() if "database" in service["networks"]} == {
        "postgres",
        "prefect-server",
    }
    assert compose()["networks"]["database"] == {"internal": True}


def test_no_secret_is_written_down():
    text = (DOCKER / "compose.yaml").read_text()
    for name, value in settings().items():
        assert value == "CHANGE_ME" or name in ("STUDIES", "TORCH_INDEX")
    assert set(re.findall(r"\$\{(\w+)", text)) == set(settings())
    assert not re.search(r"\$\{\w+\}|\$\{\w+:-", text), "a variable that may be missing"
    for name, value in re.findall(r"(\w*(?:PASSWORD|SECRET|TOKEN|ACCESS_KEY)\w*): (.*)", text):
        assert value.startswith("${"), name
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/infra/docker/.env", "/infra/kubernetes/secret.yaml"} <= set(ignored)


def test_our_containers_have_no_rights():
    for name, service in services().items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if service["image"].startswith("mapmerge:"):
            assert service["cap_drop"] == ["ALL"], name
        assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid"}, name


def test_s3_is_started_as_on_one_machine(tmp_path):
    server, here = Seaweed(tmp_path / "s3", bucket=BUCKET), words("seaweedfs")
    place = re.compile(r"-(dir|ip|ip\.bind|\w+\.port|\w+\.port\.grpc|\w+\.localSocket)=")
    assert {word for word in here if not place.match(word)} == {
        str(word) for word in server.command()[1:] if not place.match(str(word))
    }
    assert f"-bucket={BUCKET}" in here


def test_the_database_is_made_and_started_as_on_one_machine(tmp_path, postgres_installed):
    database, service = Postgres(tmp_path / "postgres"), services()["postgres"]
    theirs = service["environment"]
    assert (theirs["POSTGRES_USER"], theirs["POSTGRES_DB"]) == (USER, DATABASE)
    assert theirs["POSTGRES_INITDB_ARGS"] == " ".join(ACCESS)
    assert service["stop_signal"] == database.ending.name
    assert words("postgres")[2] in database.command()


def test_prefect_is_started_as_on_one_machine(tmp_path):
    server, worker = PrefectServer(tmp_path / "server"), PrefectWorker(tmp_path / "worker")
    assert words("prefect-server")[:3] == list(server.command()[2:5])
    assert options(words("prefect-server")) == options(server.command()[3:])
    asked = [str(word) for word in worker.command()[2:]]
    assert words("prefect-worker") == ["with-ray-node", *asked, "--with-healthcheck"]
    assert asked[asked.index("--pool") + 1] == POOL
    assert words("deployments") == ["mapmerge", *DEPLOY]
    url = services()["prefect-server"]["environment"]["PREFECT_API_DATABASE_CONNECTION_URL"]
    assert url == f"postgresql+asyncpg://{USER}:CHANGE_ME@postgres:5432/{DATABASE}"
    assert server.environment().keys() <= services()["prefect-worker"]["environment"].keys()


def test_kubernetes_starts_the_same_commands():
    worker = one("Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert worker["command"] == words("prefect-worker")
    assert one("Job")["spec"]["template"]["spec"]["containers"][0]["command"] == words("deployments")


def test_ray_is_started_as_on_one_machine(tmp_path):
    head = RayHead(tmp_path / "ray")
    head.folder.mkdir()
    (head.folder / "session").symlink_to(tmp_path)
    place = re.compile(
        r"--(port|num-cpus|object-store-memory|node-ip-address|temp-dir|ray-client|(min|max)-worker|dashboard-)"
    )
    on_one_machine = {word for word in options(head.command()) if not place.match(word)}
    assert {word for word in options(words("ray-head")) if not place.match(word)} == on_one_machine
    assert options(words("ray-worker")) == on_one_machine - {"--head", "--include-dashboard=false"} | {
        "--address=ray-head:6379"
    }
    assert "--num-cpus=0" in words("ray-head")
    mode = head.environment()["RAY_AUTH_MODE"]
    assert {
        services()[name]["environment"]["RAY_AUTH_MODE"] for name in ("ray-head", "ray-worker", "prefect-worker")
    } == {mode}
    for spec in ray_clusters():
        assert spec["authOptions"]["mode"] == mode
        for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
            assert group["rayStartParams"]["disable-usage-stats"] == "true"
