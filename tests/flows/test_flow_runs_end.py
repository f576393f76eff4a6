"""A flow run that is cancelled, or whose worker is killed, lets its actors go, and its run goes on."""

import json
import logging
from collections import Counter

import psutil
import pytest

from infra.services.prefect_server import PrefectServer
from infra.services.prefect_worker import PrefectWorker
from infra.services.ray_head import RayHead
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

OBJECTIVES = {
    name: {"peak": peak, "marks": "marks", "seconds": 0.3} for name, peak in (("z", [0.8, 0.1]), ("a", [0.1, 0.8]))
}


def actors(ray):
    """Find the actors of a cluster among the processes of this machine."""
    names = []
    for process in psutil.Process(ray.pid).children(recursive=True):
        try:
            names += [process] if process.name().startswith("ray::Resident") else []
        except psutil.NoSuchProcess:
            continue
    return names


class Flow:
    """A flow run of a deployment, measured by two actors, and what it leaves behind."""

    def __init__(self, prefect, ray, study, output):
        self.prefect, self.output, self.marks = prefect, output, study.parent / "marks"
        self.marks.mkdir()
        deployment = prefect.ask("deployments/name/find-front/find-front")["id"]
        overrides = ["compute.executor=ray", f"compute.address={ray.address}", "compute.actors=2"]
        asked = {"study": str(study), "output": str(output), "run_id": "one", "overrides": overrides}
        self.id = prefect.ask(f"deployments/{deployment}/create_flow_run", {"parameters": asked})["id"]
        wait_for(lambda: len(self.records) >= 4, "nothing was measured")
        assert len(actors(ray)) == 2

    @property
    def records(self):
        return {path: path.read_bytes() for path in (self.output / "evaluations").rglob("*.json")}

    @property
    def state(self):
        return self.prefect.ask(f"flow_runs/{self.id}")["state"]["type"]

    def set_state(self, kind, name):
        self.prefect.ask(f"flow_runs/{self.id}/set_state", {"state": {"type": kind, "name": name}, "force": True})

    def has_repeated_no_more_than_was_in_flight(self):
        marks = Counter(mark.name.rpartition("_")[0] for mark in self.marks.iterdir())
        # Each actor had two candidates at most, with two objectives each.
        return len(self.records) <= sum(marks.values()) <= len(self.records) + 8


@pytest.fixture(scope="module")
def servers(tmp_path_factory, probe_plugin):
    """A Prefect server, a worker with the deployments, and a Ray cluster of its own."""
    place = tmp_path_factory.mktemp("servers")
    with PrefectServer(place / "prefect") as prefect, RayHead(place / "ray", num_cpus=2) as ray:
        worker = PrefectWorker(place / "worker")
        worker.extra = {**prefect.environment(), **ray.environment(), "PREFECT_LOGGING_LEVEL": "INFO"}
        with worker:
            yield prefect, ray, worker


@pytest.fixture
def study(probe_family):
    return probe_family(objectives=OBJECTIVES)


@pytest.fixture(scope="module")
def whole(mapmerge, write_probe_family, tmp_path_factory):
    """The front of the study, found by nobody whom anything happened to."""
    place = tmp_path_factory.mktemp("whole")
    fast = {name: {"peak": options["peak"]} for name, options in OBJECTIVES.items()}
    study = write_probe_family(place / "probe", objectives=fast)
    return mapmerge("run", study, "--output", place / "out", "--run-id", "one", "--json").json["front"]


def test_a_cancelled_flow_run_frees_its_actors_and_can_be_resumed(mapmerge, servers, study, whole, tmp_path):
    prefect, ray, _ = servers
    flow = Flow(prefect, ray, study, tmp_path / "out")
    flow.set_state("CANCELLING", "Cancelling")
    wait_for(lambda: not actors(ray), "the actors stay")
    wait_for(lambda: flow.state == "CANCELLED", "it is not cancelled")

    before = flow.records
    said = mapmerge("resume", flow.output / "runs" / "one", "--set", "compute.executor=serial", "--json")
    assert said.code == 0, said.err
    assert before.items() <= flow.records.items()
    assert said.json["front"] == whole
    assert flow.has_repeated_no_more_than_was_in_flight()


def test_the_retry_of_a_flow_run_whose_worker_was_killed_goes_on_with_its_run(servers, study, whole, tmp_path):
    prefect, ray, worker = servers
    flow = Flow(prefect, ray, study, tmp_path / "out")
    worker.kill()  # and with it the process of the flow run
    wait_for(lambda: not actors(ray), "the actors stay")
    before = flow.records
    worker.start()
    flow.set_state("CRASHED", "Crashed")  # nobody was left to say so
    flow.set_state("SCHEDULED", "AwaitingRetry")
    wait_for(lambda: flow.state in ("COMPLETED", "FAILED", "CRASHED"), "it does not end")
    assert flow.state == "COMPLETED"
    assert before.items() <= flow.records.items()
    (result,) = flow.output.glob("runs/*/result.json")
    assert json.loads(result.read_bytes())["front"] == whole
    assert flow.has_repeated_no_more_than_was_in_flight()


def test_what_fails_in_an_actor_is_in_the_log_of_the_flow_run(servers, probe_family, tmp_path):
    prefect, ray, _ = servers
    troubled = {"calm": {"peak": [0.8, 0.1]}, "odd": {"peak": [0.1, 0.8], "trouble": "error", "above": 0.9}}
    study = probe_family(objectives=troubled)
    deployment = prefect.ask("deployments/name/find-front/find-front")["id"]
    overrides = ["compute.executor=ray", f"compute.address={ray.address}", "compute.actors=1"]
    asked = {"study": str(study), "output": str(tmp_path / "out"), "run_id": "troubled", "overrides": overrides}
    flow_run = prefect.ask(f"deployments/{deployment}/create_flow_run", {"parameters": asked})["id"]
    ended = ("COMPLETED", "FAILED", "CRASHED")
    wait_for(lambda: prefect.ask(f"flow_runs/{flow_run}")["state"]["type"] in ended, "it does not end")
    failures = [json.loads(path.read_bytes()) for path in tmp_path.glob("out/runs/troubled/failures/*.json")]
    assert failures

    def logs():
        found = prefect.ask("logs/filter", {"logs": {"flow_run_id": {"any_": [flow_run]}}, "limit": 200})
        warnings = [
            log["message"] for log in found if log["level"] == logging.WARNING and "objective" in log["message"]
        ]
        return warnings if len(warnings) >= len(failures) else None

    said = wait_for(logs, "nothing is in the log")
    for failure in failures:
        assert any(said_of.endswith(failure["error"]) for said_of in said)
