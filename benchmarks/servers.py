"""What a run on the servers of one machine costs beside its evaluations, and how soon a late one is noticed.

    python -m benchmarks.servers --study zoos/vision-2/study.yaml --nights 3 --out FILE.json

The whole topology runs in a folder of its own: SeaweedFS, PostgreSQL, Prefect with a worker, Ray with two nodes. Every
run is asked for by Prefect's REST interface, is a process of its own that the worker starts, measures on Ray and writes
to S3.

- `nightly`: one study of real models with 200 evaluations, told apart into what actors spent on them and the rest.
- `late`: until a run that no worker takes up is told to be late.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import write
from infra.services.ports import free_ports
from infra.smoke import ended, trigger
from infra.stack import BUCKET, PORTS, Stack, open_stack
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import open_run
from mapmerge.ledger.store import Store

_LOOK_S, _PATIENCE_S = 0.5, 1800.0
RUN = "run"
"""What each run is called, in an output of its own."""
_EVALUATIONS = 200
"""Of a nightly run, on all items."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True, help="a study of two objectives")
    parser.add_argument("--nights", type=int, default=3, help="nightly runs (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="mapmerge-servers-") as name, running(Path(name)) as stack:
        study = options.study.resolve()
        for night in [*range(options.nights), None]:
            results.append(late(stack, study) if night is None else nightly(stack, study, night))
            print(results[-1], flush=True)
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


def nightly(stack: Stack, study: Path, night: int) -> dict[str, Any]:
    """Tell apart what a run spends on evaluations, and what on all else, from the trigger to its end."""
    began = time.time()
    output = f"nightly-{night}"
    overrides = ["method=map", f"budget.evaluations={_EVALUATIONS // 2}", f"seed={night}"]
    flow_run = trigger(stack, study, output, RUN, overrides)["id"]
    state = ended(stack.prefect, flow_run, _PATIENCE_S)["type"]
    wall = time.time() - began
    took = [seconds for seconds, _ in stored(output)]
    rounds = [event for event in open_run(run_uri(output)).events() if event["kind"] == "round"]
    times = [began, *(_seconds(event["time"]) for event in rounds)]
    forward, actors = sum(took), stack.ray.num_cpus + stack.node.num_cpus
    return {
        "step": "nightly",
        "night": night,
        "state": state,
        "evaluations": len(took),
        "wall_s": wall,
        "forward_s": forward,
        "actors": actors,
        "outside_s": wall - forward / actors,
        "to_the_start_s": _seconds(stack.prefect.ask(f"flow_runs/{flow_run}")["start_time"]) - began,
        "rounds_s": {
            str(event["payload"]["name"]): after - before
            for event, (before, after) in zip(rounds, itertools.pairwise(times), strict=True)
        },
        "after_s": began + wall - times[-1],
    }


def late(stack: Stack, study: Path) -> dict[str, Any]:
    """Ask for a run while no worker is there, and tell when the server says that it is late."""
    stack.worker.stop()
    flow_run, began = trigger(stack, study, "late", RUN)["id"], time.time()
    while (name := stack.prefect.ask(f"flow_runs/{flow_run}")["state_name"]) == "Scheduled":
        time.sleep(_LOOK_S)
    return {"step": "late", "state": name, "seconds": time.time() - began}


def run_uri(output: str) -> str:
    """Return the URI of the run in an output below the bucket."""
    return f"s3://{BUCKET}/{output}/runs/{RUN}"


def stored(output: str) -> list[tuple[float, float]]:
    """Return, of each evaluation of an output, the seconds it took and when it was written."""
    store = Store(f"s3://{BUCKET}/{output}")
    written = {Path(key).stem: found.time for key, found in store.written("evaluations").items()}
    kept = EvaluationLedger(store).get_many(written)
    return [(kept[key].seconds, when) for key, when in written.items()]


def _seconds(said: str) -> float:
    return datetime.fromisoformat(said).timestamp()


if __name__ == "__main__":
    main()
