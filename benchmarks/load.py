"""What the servers of one machine bear at once: eight studies that share the actors, and twenty runs, again and again.

    python -m benchmarks.load --study zoos/vision-2/study.yaml --soak 30 --out FILE.json

The whole topology runs in a folder of its own: SeaweedFS, PostgreSQL, Prefect with a worker, Ray with two nodes. Every
run is asked for by Prefect's REST interface, is a process of its own that the worker starts, measures on Ray and writes
to S3. In the end each is compared with its manifest.

- `together`: one study of real models with eight seeds, each with one actor. While all of them measure their designs,
  their shares of what is measured are compared.
- `load`: twenty runs of a synthetic study whose evaluations cost nothing (that of `benchmarks.scale`), one such load
  after the other for `--soak` minutes, with the memory of every server before and after each.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import write
from benchmarks.scale import write_family
from benchmarks.servers import RUN, run_uri, running, stored
from infra.services.prefect_worker import POOL
from infra.smoke import ended, trigger
from infra.stack import Stack
from mapmerge.errors import MapmergeError
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import open_run

STEPS = ("together", "load")
_PATIENCE_S = 3600.0
_EVALUATIONS = 400
"""Of the design of each of the eight studies, on all items: so many that they all measure together for minutes."""

_EXPERTS = 4
"""Of the synthetic study."""

_SETTLE_S = 20.0
"""From the end of a load until memory is read: Ray keeps the workers of a run for some seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True, help="a study of two objectives")
    parser.add_argument("--steps", default=",".join(STEPS), help="rows of others stay (default %(default)s)")
    parser.add_argument("--together", type=int, default=8, help="studies at once (default %(default)s)")
    parser.add_argument("--load", type=int, default=20, help="runs at once (default %(default)s)")
    parser.add_argument("--soak", type=float, default=30.0, help="minutes (default %(default)g)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    steps = options.steps.split(",")
    if unknown := set(steps) - set(STEPS):
        parser.error(f"--steps: expected some of {', '.join(STEPS)}, came {', '.join(sorted(unknown))}")
    before = json.loads(options.out.read_text(encoding="utf-8"))["results"] if options.out.is_file() else []
    results: list[dict[str, Any]] = [row for row in before if row["step"] not in steps]
    with tempfile.TemporaryDirectory(prefix="mapmerge-load-") as name, running(Path(name)) as stack:
        _widen(max(options.together, options.load))
        for row in _rows(stack, options, steps, write_family(Path(name, "linear"), _EXPERTS)):
            results.append(row)
            print(row, flush=True)
            write(options.out, "load", results, evaluations=_EVALUATIONS)


def _rows(stack: Stack, options: argparse.Namespace, steps: Sequence[str], synthetic: Path) -> Iterator[dict[str, Any]]:
    if "together" in steps:
        yield together(stack, options.study.resolve(), options.together)
    if "load" in steps:
        yield from soak(stack, synthetic, options.load, options.soak)


def together(stack: Stack, study: Path, count: int) -> dict[str, Any]:
    """Run one study with several seeds at once, and compare their shares while all of them measure."""
    began = time.time()
    each = ["method=map", f"budget.evaluations={_EVALUATIONS // 2}", "compute.actors=1", "compute.num_cpus=0.25"]
    names = [f"together-{seed}" for seed in range(count)]
    states = _run_at_once(stack, study, {name: [*each, f"seed={seed}"] for seed, name in enumerate(names)})
    written = [[when for _, when in stored(name)] for name in names]
    # Later they search, each at another time, and who searches does not measure.
    first, last = max(map(min, written)), min(map(_designed, names))
    shares = [sum(first <= when <= last for when in one) for one in written]
    mean = statistics.fmean(shares)
    return {
        "step": "together",
        "studies": count,
        "states": states,
        "wall_s": time.time() - began,
        "together_s": last - first,
        "evaluations": [len(one) for one in written],
        "evaluations_together": shares,
        "furthest_from_fair": max(abs(share / mean - 1.0) for share in shares),
        "problems": [problem for name in names for problem in _problems(name)],
    }


def soak(stack: Stack, study: Path, count: int, minutes: float) -> Iterator[dict[str, Any]]:
    """Run loads one after the other; each row has the memory of every server before and after."""
    began, number = time.time(), 0
    before = _memory(stack)
    while number == 0 or time.time() - began < 60.0 * minutes:
        start = time.time()
        names = [f"load-{number}-{one}" for one in range(count)]
        overrides = ["nested.preferences=1", "compute.actors=1", "compute.num_cpus=0.05"]
        states = _run_at_once(stack, study, dict.fromkeys(names, overrides))
        wall = time.time() - start
        problems = [problem for name in names for problem in _problems(name)]
        time.sleep(_SETTLE_S)
        after = _memory(stack)
        yield {
            "step": "load",
            "load": number,
            "runs": count,
            "failed": sum(state != "COMPLETED" for state in states),
            "problems": problems,
            "wall_s": wall,
            "minutes": (time.time() - began) / 60.0,
            "memory_mb_before": before,
            "memory_mb": after,
        }
        before, number = after, number + 1


def _widen(runs: int) -> None:
    """Let the work pool have so many runs at once."""
    command = [sys.executable, "-m", "prefect", "work-pool", "set-concurrency-limit", POOL, str(runs)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _run_at_once(stack: Stack, study: Path, overrides: dict[str, Sequence[str]]) -> list[str]:
    """Ask for a run in each output, wait for all, and return the states in which they end."""
    asked = [trigger(stack, study, output, RUN, values)["id"] for output, values in overrides.items()]
    return [str(ended(stack.prefect, flow_run, _PATIENCE_S)["type"]) for flow_run in asked]


def _designed(output: str) -> float:
    """Return when the design of a run was measured."""
    rounds = (event for event in open_run(run_uri(output)).events() if event["kind"] == "round")
    return datetime.fromisoformat(next(rounds)["time"]).timestamp()


def _problems(output: str) -> list[str]:
    """Return what is wrong with the run of an output, its evaluations among it."""
    try:
        run = open_run(run_uri(output))
        return run.verify(EvaluationLedger(run.store))
    except MapmergeError as error:
        return [f"{output}: {error}"]


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
