"""What the servers of one machine bear: a nightly run, eight studies at once, twenty runs at once, and that for long.

    python -m benchmarks.servers --study zoos/vision-2/study.yaml --soak 30 --out FILE.json

The whole topology runs in a folder of its own: SeaweedFS, PostgreSQL, Prefect with a worker, Ray with two nodes. Every
run is asked for by Prefect's REST interface, is a process of its own that the worker starts, measures on Ray and writes
to S3.

- `nightly`: one study of real models with 200 evaluations, told apart into what actors spent on them and the rest.
- `late`: until a run that no worker takes up is told to be late.
- `together`: the same study with eight seeds, each with one actor. While all of them measure, their shares of what is
  measured are compared.
- `load`: twenty runs of a synthetic study that costs nothing (that of `benchmarks.scale`), one such load after the
  other for `--soak` minutes, with the memory of every server before and after each.
"""

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.machine import write
from benchmarks.scale import write_family
from infra.services.ports import free_ports
from infra.stack import BUCKET, PORTS, Stack, open_stack
from mapmerge.errors import MapmergeError
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import open_run
from mapmerge.ledger.store import Store

_ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_LOOK_S = 0.5
_EVALUATIONS = 200
"""Of a nightly run, on all items; as many of each of the eight studies."""

_EXPERTS = 4
"""Of the synthetic study."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True, help="a study of two objectives")
    parser.add_argument("--nights", type=int, default=3, help="nightly runs (default %(default)s)")
    parser.add_argument("--together", type=int, default=8, help="studies at once (default %(default)s)")
    parser.add_argument("--load", type=int, default=20, help="runs at once (default %(default)s)")
    parser.add_argument("--soak", type=float, default=30.0, help="minutes (default %(default)g)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="mapmerge-servers-") as name, running(Path(name)) as stack:
        study, synthetic = options.study.resolve(), write_family(Path(name, "linear"), _EXPERTS)
        team = Team(stack, room=max(options.together, options.load))
        steps: Iterator[dict[str, Any]] = itertools.chain(
            (nightly(team, study, night) for night in range(options.nights)),
            (late(team, study) for _ in range(1)),
            (together(team, study, options.together) for _ in range(1)),
            soak(team, synthetic, options.load, options.soak),
        )
        for row in steps:
            results.append(row)
            print(row, flush=True)
            write(options.out, "servers", results, evaluations=_EVALUATIONS)


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Run all servers in a folder while the block runs; this process reaches them."""
    folder.chmod(0o711)
    stack = open_stack(folder / "servers", dict(zip(PORTS, free_ports(len(PORTS)), strict=True)))
    try:
        for _ in stack.start():
            pass
        os.environ |= stack.environment()
        yield stack
    finally:
        for _ in stack.stop():
            pass


class Team:
    """Somebody who asks for runs by REST, and waits for them.

    Args:
        stack: the servers.
        room: how many flow runs the work pool may have at once.
    """

    def __init__(self, stack: Stack, room: int) -> None:
        self.stack = stack
        self._client = httpx.Client(base_url=stack.prefect.api_url, timeout=60.0, trust_env=False)
        self._said(self._client.patch("/work_pools/mapmerge", json={"concurrency_limit": room}))

    def trigger(self, study: Path, output: str, overrides: Sequence[str]) -> dict[str, Any]:
        """Ask for a run, named `run`, in an output of its own below the bucket."""
        name = "deployments/name/find-front/find-front"
        deployment = self._said(self._client.get(f"/{name}")).json()["id"]
        ray = ["compute.executor=ray", f"compute.address={self.stack.ray.address}"]
        parameters = {"study": str(study), "output": f"s3://{BUCKET}/{output}", "run_id": "run"}
        body = {"parameters": parameters | {"overrides": [*ray, *overrides]}}
        asked: dict[str, Any] = self._said(
            self._client.post(f"/deployments/{deployment}/create_flow_run", json=body)
        ).json()
        return asked

    def state(self, flow_run: Mapping[str, Any]) -> str:
        """Return the name of the state that a flow run is in."""
        return str(self._said(self._client.get(f"/flow_runs/{flow_run['id']}")).json()["state_name"])

    def wait(self, flow_runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return flow runs as they have ended, in their order."""
        ended: dict[str, dict[str, Any]] = {}
        while len(ended) < len(flow_runs):
            time.sleep(_LOOK_S)
            for flow_run in flow_runs:
                if flow_run["id"] not in ended:
                    found = self._said(self._client.get(f"/flow_runs/{flow_run['id']}")).json()
                    if found["state_type"] in _ENDED:
                        ended[flow_run["id"]] = found
        return [ended[flow_run["id"]] for flow_run in flow_runs]

    @staticmethod
    def _said(answer: httpx.Response) -> httpx.Response:
        answer.raise_for_status()
        return answer


def nightly(team: Team, study: Path, night: int) -> dict[str, Any]:
    """Tell apart what a run spends on evaluations, and what on all else, from the trigger to its end."""
    began = time.time()
    output = f"nightly-{night}"
    asked = team.trigger(study, output, ["method=map", f"budget.evaluations={_EVALUATIONS // 2}", f"seed={night}"])
    (ended,) = team.wait([asked])
    wall = time.time() - began
    stored = _stored(output)
    rounds = [event for event in open_run(_uri(output)).events() if event["kind"] == "round"]
    times = [began, *(_seconds(event["time"]) for event in rounds)]
    forward, actors = sum(seconds for seconds, _ in stored), team.stack.ray.num_cpus + team.stack.node.num_cpus
    return {
        "step": "nightly",
        "night": night,
        "state": ended["state_type"],
        "evaluations": len(stored),
        "wall_s": wall,
        "forward_s": forward,
        "actors": actors,
        "outside_s": wall - forward / actors,
        "to_the_start_s": _seconds(ended["start_time"]) - began,
        "rounds_s": {
            str(event["payload"]["name"]): after - before
            for event, (before, after) in zip(rounds, itertools.pairwise(times), strict=True)
        },
        "after_s": began + wall - times[-1],
    }


def late(team: Team, study: Path) -> dict[str, Any]:
    """Ask for a run while no worker is there, and tell when the server says that it is late."""
    team.stack.worker.stop()
    asked, began = team.trigger(study, "late", []), time.time()
    while (name := team.state(asked)) == "Scheduled":
        time.sleep(_LOOK_S)
    team.stack.worker.start()
    return {"step": "late", "state": name, "seconds": time.time() - began}


def together(team: Team, study: Path, count: int) -> dict[str, Any]:
    """Run one study with several seeds at once, and compare their shares while all of them measure."""
    each = ["method=map", f"budget.evaluations={_EVALUATIONS}", "compute.actors=1", "compute.num_cpus=0.25"]
    began = time.time()
    asked = [team.trigger(study, f"together-{seed}", [*each, f"seed={seed}"]) for seed in range(count)]
    ended = team.wait(asked)
    written = [[when for _, when in _stored(f"together-{seed}")] for seed in range(count)]
    first, last = max(map(min, written)), min(map(max, written))
    shares = [sum(first <= when <= last for when in one) for one in written]
    mean = statistics.fmean(shares)
    return {
        "step": "together",
        "studies": count,
        "states": [one["state_type"] for one in ended],
        "wall_s": time.time() - began,
        "together_s": last - first,
        "evaluations_together": shares,
        "furthest_from_fair": max(abs(share / mean - 1.0) for share in shares),
        "problems": [problem for seed in range(count) for problem in _problems(f"together-{seed}")],
    }


def soak(team: Team, study: Path, count: int, minutes: float) -> Iterator[dict[str, Any]]:
    """Run loads one after the other; each row has the memory of every server before and after."""
    began, number = time.time(), 0
    before = _memory(team.stack)
    while number == 0 or time.time() - began < 60.0 * minutes:
        start = time.time()
        names = [f"load-{number}-{one}" for one in range(count)]
        overrides = ["nested.preferences=1", "compute.actors=1", "compute.num_cpus=0.05"]
        ended = team.wait([team.trigger(study, name, overrides) for name in names])
        after = _memory(team.stack)
        yield {
            "step": "load",
            "load": number,
            "runs": count,
            "failed": sum(one["state_type"] != "COMPLETED" for one in ended),
            "problems": [problem for name in names for problem in _problems(name)],
            "wall_s": time.time() - start,
            "minutes": (time.time() - began) / 60.0,
            "memory_mb_before": before,
            "memory_mb": after,
        }
        before, number = after, number + 1


def _uri(output: str) -> str:
    return f"s3://{BUCKET}/{output}/runs/run"


def _stored(output: str) -> list[tuple[float, float]]:
    """Return, of each evaluation of an output, the seconds it took and when it was written."""
    store = Store(f"s3://{BUCKET}/{output}")
    written = {Path(key).stem: found.time for key, found in store.written("evaluations").items()}
    kept = EvaluationLedger(store).get_many(written)
    return [(kept[key].seconds, when) for key, when in written.items()]


def _problems(output: str) -> list[str]:
    """Return what is wrong with the run of an output, its evaluations among it."""
    try:
        run = open_run(_uri(output))
        return run.verify(EvaluationLedger(run.store))
    except MapmergeError as error:
        return [f"{output}: {error}"]


def _seconds(said: str) -> float:
    return datetime.fromisoformat(said).timestamp()


def _memory(stack: Stack) -> dict[str, float]:
    """Return the memory that only the processes of each server have, in MB; flow runs are none of the worker's."""
    memory = {}
    for service in stack.services:
        process = psutil.Process(service.pid)
        tree = [process] if service is stack.worker else [process, *process.children(recursive=True)]
        memory[service.name] = sum(map(_own, tree)) / 1e6
    return memory


def _own(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().uss)
    except psutil.Error:
        return 0.0


if __name__ == "__main__":
    main()
