"""`mapmerge deploy` on a real Prefect server: twice the same, bad parameters refused in words, and runs that wait."""

import json
import urllib.error
import uuid

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.watch import watch_family
from infra.services.ports import free_ports
from infra.services.prefect_server import PrefectServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with PrefectServer(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture
def deploy(mapmerge, server, monkeypatch):
    def deploy(*words, url=server.api_url, **environment):
        with monkeypatch.context() as patched, temporary_settings({PREFECT_API_URL: url}):
            for name, value in environment.items():
                patched.setenv(name, value)
            return mapmerge("deploy", *words)

    return deploy


def states(said):
    """Return what became of each thing."""
    lines = [line.split(maxsplit=1) for line in said.out.splitlines() if "  " in line]
    return {label.partition(" (")[0]: state for state, label in lines}


def ids(server):
    """Return the id of everything that is deployed."""
    there = server.ask("deployments/filter", {}) + server.ask("work_pools/mapmerge/queues/filter", {})
    return {each["name"]: each["id"] for each in [*there, server.ask("work_pools/mapmerge")]}


def refused(server, path, body):
    """Ask for what cannot be had; return code and message."""
    with pytest.raises(urllib.error.HTTPError) as error:
        server.ask(path, body)
    return error.value.code, json.load(error.value)["detail"]


def test_deploying_twice_is_deploying_once(deploy, server):
    planned = deploy("--dry-run")
    assert (planned.code, planned.err) == (0, "")
    assert server.ask("deployments/filter", {}) == []
    first = deploy()
    assert (first.code, first.err) == (0, "")
    assert set(states(first).values()) == {"created", "changed"}  # every pool has a queue `default`
    there = ids(server)
    assert len(there) == 11 + 3 + 1

    second = deploy()
    assert "note: no worker takes up runs of work pool mapmerge; one that does: prefect worker start" in second.out
    assert set(states(second).values()) == {"unchanged"}
    assert second.out.splitlines()[-1] == "nothing changed"
    assert ids(server) == there

    # What somebody changed on the page is put back, what was added to the environment comes in, all under the same ids.
    flow = server.ask("deployments/name/prune-store/prune-store")
    server.ask("deployments/", {"name": "prune-store", "flow_id": flow["flow_id"], "concurrency_limit": 5})
    third = deploy("--production", MAPMERGE_OUTPUT="/data/out")
    assert states(third)["deployment prune-store/prune-store"] == "changed"
    assert states(third)["deployment compare-runs/compare-runs"] == "unchanged"
    flow = server.ask("deployments/name/prune-store/prune-store")
    assert flow["global_concurrency_limit"]["limit"] == 1
    assert flow["parameters"] == {"store": "/data/out"}
    assert [each["active"] for each in flow["schedules"]] == [True]
    assert "note: deployment watch-family/watch-family: its schedule 'hourly' is not in force" in third.out
    assert ids(server) == there
    assert deploy().code == 0
    assert [each["active"] for each in server.ask("deployments/name/prune-store/prune-store")["schedules"]] == [False]


def test_a_parameter_that_does_not_fit_is_refused_in_words(deploy, server):
    deploy()
    find = server.ask("deployments/name/find-front/find-front")["id"]
    for parameters, word in (
        ({"study": 7, "output": "/out"}, "study"),
        ({"study": "/s.yaml", "output": "/out", "method": "best"}, "method"),
        ({"output": "/out"}, "study"),
    ):
        code, message = refused(server, f"deployments/{find}/create_flow_run", {"parameters": parameters})
        assert code == 409, message
        assert word in message


def test_of_two_runs_one_waits_where_the_limit_is_one(deploy, server):
    deploy()
    prune = server.ask("deployments/name/prune-store/prune-store")["id"]
    runs = [
        server.ask(f"deployments/{prune}/create_flow_run", {"parameters": {"store": "/data/out"}})["id"]
        for _ in range(2)
    ]
    pending = {"state": {"type": "PENDING", "name": "Pending"}}  # what a worker asks for before it starts a run
    first, second = (server.ask(f"flow_runs/{run}/set_state", pending) for run in runs)
    assert first["status"] == "ACCEPT"
    assert (second["status"], second["state"]["name"]) == ("REJECT", "AwaitingConcurrencySlot")
    server.ask(f"flow_runs/{runs[0]}/set_state", {"state": {"type": "COMPLETED", "name": "Completed"}, "force": True})
    assert server.ask(f"flow_runs/{runs[1]}/set_state", pending)["status"] == "ACCEPT"


def test_somebody_is_told_of_failed_runs_once_a_block_is_named(deploy, server):
    said = deploy("--notify", "slack-webhook/nobody")
    assert said.code == 2
    assert "the server has no such block" in said.err
    kind = server.ask("block_types/slug/slack-webhook")["id"]
    schema = server.ask("block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind]}}})[0]["id"]
    about = {"name": "team", "data": {"url": "http://127.0.0.1:9/"}, "block_type_id": kind, "block_schema_id": schema}
    server.ask("block_documents/", about)
    told = states(deploy("--notify", "slack-webhook/team"))
    assert told["automation mapmerge: a run failed"] == "created"
    again = deploy(MAPMERGE_NOTIFY="slack-webhook/team")
    assert states(again)["automation mapmerge: a run failed"] == "unchanged"
    automations = server.ask("automations/filter", {})
    assert sorted(each["name"] for each in automations) == ["mapmerge: a run failed", "mapmerge: a run is late"]
    assert all("{{ flow_run.name }}" in each["actions"][0]["subject"] for each in automations)


def test_a_new_expert_starts_one_run(deploy, server, probe_family, tmp_path):
    deploy()
    study, output = str(probe_family(objectives={"z": {"peak": [0.8, 0.1]}})), str(tmp_path / "out")
    arrived = tmp_path / "experts"
    (arrived / "new").mkdir(parents=True)
    for path in (arrived / "new" / "model.safetensors", arrived / "e1.safetensors"):  # the study has e0 and e1
        path.write_bytes((tmp_path / "probe" / "e1.safetensors").read_bytes())
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        first = watch_family(study, str(arrived), output, settled_minutes=0.0)
        assert watch_family(study, str(arrived), output, settled_minutes=0.0) == first
        other = watch_family(study, str(arrived), output)  # it is too young yet
    assert other != first
    asked = {"flow_runs": {"deployment_id": {"is_null_": False}, "state": {"type": {"any_": ["SCHEDULED"]}}}}
    started = [run["parameters"] for run in server.ask("flow_runs/filter", asked) if run["parameters"].get("run_id")]
    (one,) = [parameters for parameters in started if parameters["run_id"] == first]
    assert one["extend"] is None
    family = json.loads(one["overrides"][-1].removeprefix("experts="))
    assert [expert["name"] for expert in family] == ["e0", "e1", "new"]


@pytest.mark.parametrize(
    ("url", "why"),
    [(None, "set PREFECT_API_URL"), ("nobody", "no Prefect server answers at PREFECT_API_URL=http://127.0.0.1:")],
)
def test_without_a_server_it_says_what_to_do(deploy, url, why):
    said = deploy(url=url and f"http://127.0.0.1:{free_ports(1)[0]}/api")
    assert said.code == 2
    assert why in said.err
    assert said.out == ""


def test_where_no_prefect_answers_the_address_is_doubted(deploy, server):
    said = deploy(url=server.address)
    assert said.code == 2
    assert "it ends with /api" in said.err


def test_a_wrong_key_is_told_from_a_server_that_is_away(deploy, tmp_path):
    locked = PrefectServer(tmp_path / "locked")
    locked.extra = {"PREFECT_SERVER_API_AUTH_STRING": f"admin:{uuid.uuid4()}"}
    with locked, temporary_settings({PREFECT_API_AUTH_STRING: "admin:wrong"}):
        said = deploy(url=locked.api_url)
    assert said.code == 2
    assert "does not let us in (401)" in said.err


def test_options_that_do_not_fit_are_refused_before_anything_is_changed(deploy, server):
    deploy()
    for words, environment, why in (
        (["--type", "docker", "--image", "m:1"], {}, "of type process, which cannot be changed"),
        (["--type", "kubernetes"], {}, "MAPMERGE_IMAGE"),
        ([], {"MAPMERGE_OUTPUT": "out"}, "expected an absolute path"),
        ([], {"MAPMERGE_PRODUCTION": "perhaps"}, "expected true or false"),
    ):
        said = deploy(*words, **environment)
        assert (said.code, said.out) == (2, "")
        assert why in said.err
