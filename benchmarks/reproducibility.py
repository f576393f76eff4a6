"""Same seed, same front: serial against Ray, and undisturbed runs against killed and resumed ones, bit for bit.

python -m benchmarks.reproducibility --study ZOO/study.yaml --kills 5 --out FILE.json
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import write
from mapmerge.finished import FinishedRun

ABOUT_THIS_RUN = ("run_uri", "run_id", "seconds", "provenance", "warnings")
"""What two equal runs may differ in: their names, their clocks, and where they ran."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=5, help="how many runs are killed and resumed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        executors = []
        for name, overrides in {
            "serial": ["compute.executor=serial"],
            "ray, 1 actor": ["compute.actors=1"],
            "ray, 2 actors": ["compute.actors=2"],
        }.items():
            output = Path(folder) / name.replace(", ", "-").replace(" ", "-")
            began = time.monotonic()
            _start(options.study, output, "whole", overrides).wait()
            executors.append({"executor": name, "seconds": time.monotonic() - began, **_digests(output, "whole")})
            print(executors[-1], flush=True)
        undisturbed = executors[-1]
        kills = []
        for number in range(options.kills):
            output = Path(folder) / f"kill-{number}"
            kills.append(_kill_and_resume(options.study, output, moments.random(), undisturbed))
            print(kills[-1], flush=True)
    write(
        options.out,
        "reproducibility",
        {"executors": executors, "kills": kills},
        summary={
            "executors_identical": len({entry["front_sha256"] for entry in executors}) == 1
            and len({entry["result_sha256"] for entry in executors}) == 1,
            "resumed_identical": all(entry["identical"] for entry in kills),
            "records_measured_again": sum(entry["records_measured_again"] for entry in kills),
        },
    )


def _start(study: Path, output: Path, run_id: str, overrides: list[str]) -> "subprocess.Popen[bytes]":
    sets = [argument for override in overrides for argument in ("--set", override)]
    command = [sys.executable, "-m", "flows.cli", "run", str(study), "--output", str(output), "--run-id", run_id, *sets]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def _kill_and_resume(study: Path, output: Path, moment: float, undisturbed: dict[str, Any]) -> dict[str, Any]:
    """Kill a run, with all its actors, after a random share of its evaluations; resume it; compare."""
    wanted = int(moment * undisturbed["records"])
    process = _start(study, output, "killed", [])
    while process.poll() is None and len(_records(output)) <= wanted:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = _records(output)
    resume = [sys.executable, "-m", "flows.cli", "resume", str(output / "runs" / "killed")]
    subprocess.run(resume, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = _records(output)
    digests = _digests(output, "killed")
    return {
        "killed_after_records": len(before),
        "records": len(after),
        "records_measured_again": sum(after[path] != state for path, state in before.items()),
        "identical": all(digests[key] == undisturbed[key] for key in ("front_sha256", "result_sha256")),
    }


def _records(output: Path) -> dict[str, tuple[int, str]]:
    """Return every evaluation record with its time of writing and its hash."""
    paths = sorted((output / "evaluations").glob("*/*.json"))
    return {path.name: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths}


def _digests(output: Path, run_id: str) -> dict[str, Any]:
    result = dict(FinishedRun.open(str(output / "runs" / run_id)).result)
    same = {key: value for key, value in result.items() if key not in ABOUT_THIS_RUN}
    return {
        "records": len(_records(output)),
        "evaluations": result["evaluations"],
        "hypervolume": result["hypervolume"]["value"],
        "front_sha256": _sha(result["front"]),
        "result_sha256": _sha(same),
    }


def _sha(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    main()
