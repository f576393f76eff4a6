"""Where the time of a run goes and how much memory it takes.

The run is measured from outside: the memory of the driver and of every actor is sampled, the time in forward passes is
what the ledger's records add up to.

    python -m benchmarks.overhead --study ZOO/study.yaml --runs 3 --out FILE.json
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import write
from mapmerge.finished import FinishedRun
from mapmerge.ledger.evaluations import EvaluationLedger


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = []
    for number in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            results.append(_one(options.study, Path(folder), options.actors, options.overrides))
        print(f"run {number}: {results[-1]}", flush=True)
    summary = {key: statistics.median(entry[key] for entry in results) for key in results[0]}
    write(options.out, "overhead", results, study=options.study.resolve().parent.name, summary=summary)


def _one(study: Path, folder: Path, actors: int, overrides: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "flows.cli", "run", str(study), "--output", str(folder), "--run-id", "measured"]
    for override in (f"compute.actors={actors}", *overrides):
        command += ["--set", override]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    driver, actor, shared = 0, 0, 0
    while process.poll() is None:
        driver = max(driver, _private(process.pid)[0])
        for child in _actors(process.pid):
            own, whole = _private(child)
            actor, shared = max(actor, own), max(shared, whole)
        time.sleep(0.2)
    wall = time.monotonic() - began
    run = FinishedRun.open(str(folder / "runs" / "measured"))
    ledger = EvaluationLedger(run.folder.store)
    keys = [path.stem for path in (folder / "evaluations").glob("*/*.json")]
    forward = sum(found.seconds for found in ledger.get_many(keys).values())
    inside = run.result["seconds"]
    return {
        "wall_s": wall,
        "from_first_to_last_evaluation_s": inside,
        "forward_s": forward,
        "overhead_share_of_wall": 1 - forward / actors / wall,
        "overhead_share_once_started": 1 - forward / actors / inside,
        "driver_peak_private_mb": driver / 1e6,
        "actor_peak_private_mb": actor / 1e6,
        "actor_peak_with_shared_mb": shared / 1e6,
    }


def _private(pid: int) -> tuple[int, int]:
    """Return the bytes that only this process holds, and all that it has resident."""
    try:
        memory = psutil.Process(pid).memory_full_info()
    except psutil.Error:
        return 0, 0
    return memory.uss, memory.rss


def _actors(pid: int) -> list[int]:
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    found = []
    for child in children:
        try:
            if any(part.startswith("ray::Resident") for part in child.cmdline()):
                found.append(child.pid)
        except psutil.Error:
            continue
    return found


if __name__ == "__main__":
    main()
