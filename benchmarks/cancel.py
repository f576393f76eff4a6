"""How soon a flow run that is cancelled on the Prefect server lets go of its actors, and what becomes of its run.

    python -m benchmarks.cancel --repeats 5 --out FILE.json

A worker runs the deployment `find-front` on a small study with two actors, in turn on a Ray cluster that goes on and
on a Ray of the run's own. Each is cancelled as the page does it, when it has measured a little. Told are the seconds
until no actor is left, until the process of the run has ended, and until the server calls it cancelled; then the run
is resumed, and its front compared with that of a run that nobody cancelled.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.faults_parts import below
from benchmarks.faults_study import ACTORS, PLUGIN, write_study
from benchmarks.machine import write
from infra.services.prefect_server import PrefectServer
from infra.services.prefect_worker import PrefectWorker
from infra.services.ray_head import RayHead
from infra.services.service import ROOT, Service

_SECONDS = 0.3
"""What a measurement takes: candidates are in flight whenever the run is cancelled."""

_RECORDS = 6
"""Measurements after which it is."""

_PATIENCE_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(PLUGIN)])  # where flows and actors find the evaluator
    results = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mapmerge-cancel-")))
        prefect = stack.enter_context(PrefectServer(folder / "prefect"))
        ray = stack.enter_context(RayHead(folder / "ray", num_cpus=ACTORS))
        worker = PrefectWorker(folder / "worker")
        worker.extra = {**prefect.environment(), **ray.environment(), "MAPMERGE_CACHE": str(folder / "cache")}
        stack.enter_context(worker)
        front = _front(folder / "undisturbed")
        for repeat in range(options.repeats):
            for where, address, owner in (("a cluster", ray.address, ray), ("its own", "local", worker)):
                place = folder / f"{where.replace(' ', '-')}-{repeat}"
                told = measure(prefect, worker, owner, address, place)
                told["same_front"] = _resumed(place) == front
                results.append({"ray": where, "repeat": repeat, **told})
                print(results[-1], flush=True)
    write(options.out, "cancel", results, actors=ACTORS, seconds_a_measurement=_SECONDS)


def measure(
    prefect: PrefectServer, worker: PrefectWorker, owner: Service, address: str, place: Path
) -> dict[str, float]:
    """Start a run, cancel it, and return the seconds until each of its parts has ended.

    Args:
        prefect: the server.
        worker: what runs it.
        owner: below whose process its actors are.
        address: of Ray.
        place: a new folder for the study and its output.
    """
    study = write_study(place, seconds=_SECONDS, seed=0)
    overrides = ["compute.executor=ray", f"compute.address={address}"]
    asked = {"study": str(study), "output": str(place / "out"), "run_id": "one", "overrides": overrides}
    deployment = prefect.ask("deployments/name/find-front/find-front")["id"]
    flow = prefect.ask(f"deployments/{deployment}/create_flow_run", {"parameters": asked})["id"]
    _wait(lambda: len(list(place.glob("out/evaluations/*/*.json"))) >= _RECORDS)
    ends: dict[str, Callable[[], bool]] = {
        "actors_s": lambda: not below(owner.pid, "ray::Resident"),
        "process_s": lambda: not below(worker.pid, "python"),
        "told_s": lambda: prefect.ask(f"flow_runs/{flow}")["state"]["type"] == "CANCELLED",
    }
    missing = [name for name, has_ended in ends.items() if has_ended()]
    if missing:
        raise RuntimeError(f"there is nothing to wait for: {missing}")
    began = time.monotonic()
    prefect.ask(f"flow_runs/{flow}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    took: dict[str, float] = {}
    while len(took) < len(ends):
        for name in ends.keys() - took.keys():
            if ends[name]():
                took[name] = time.monotonic() - began
        if time.monotonic() - began > _PATIENCE_S:
            raise RuntimeError(f"not within {_PATIENCE_S:g} s: {ends.keys() - took.keys()}")
        time.sleep(0.05)
    return took


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"the run measured nothing within {_PATIENCE_S:g} s")
        time.sleep(0.05)


def _front(place: Path) -> Any:
    """Return the front of the study when nobody cancels it."""
    study = write_study(place, seconds=0.0, seed=0)
    return _mapmerge(place, "run", study, "--output", place / "out", "--run-id", "one")


def _resumed(place: Path) -> Any:
    return _mapmerge(place, "resume", place / "out" / "runs" / "one", "--set", "compute.executor=serial")


def _mapmerge(place: Path, *words: object) -> Any:
    command = [sys.executable, "-m", "flows.cli", *map(str, words), "--json"]
    environment = {**os.environ, "MAPMERGE_CACHE": str(place / "cache")}
    done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)["front"]


if __name__ == "__main__":
    main()
