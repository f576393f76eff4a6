"""Hostile inputs: is there a file that makes a reader crash, hang, or take memory?

    python -m benchmarks.hostile --inputs 100000 --seed 0 --out FILE.json

The readers of study files, evaluation records, safetensors headers and runs get as many inputs each. Half are valid
examples, spoilt at random places, after a few that are made to be large inside; half come from a fuzzer that looks for
inputs which reach new code (atheris; `pip install -e '.[fuzz]'` where it is missing). An input may be accepted, or
refused by an error of mapmerge; anything else is a crash. Each half of each reader has a process of its own. Ends with
exit code 1 where a limit is broken. Linux only, for the memory.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.machine import write

ROOT = Path(__file__).parents[1]
"""Of the repository, where the other module is found."""

READERS = ("study", "record", "header", "run")
WAYS = ("spoilt", "guided")
LIMITS = {"slowest_s": 1.0, "memory_mb": 200.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        parser.error("half of the inputs come from atheris, which is not installed: pip install -e '.[fuzz]'")
    each = -(-options.inputs // (len(READERS) * len(WAYS)))
    with ThreadPoolExecutor(options.processes) as pool:
        begun = [pool.submit(_one, reader, way, each, options.seed) for reader in READERS for way in WAYS]
        results = [one.result() for one in begun]
    summary = [_summed(reader, [one for one in results if one["reader"] == reader]) for reader in READERS]
    write(options.out, "hostile", results, seed=options.seed, limits=LIMITS, summary=summary)
    broken = [one["reader"] for one in summary if one["crashes"] or any(one[what] > LIMITS[what] for what in LIMITS)]
    if broken:
        print(f"a limit is broken by the reader of: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _one(reader: str, way: str, count: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        command = [sys.executable, "-m", "benchmarks.hostile_reader", reader, way, str(count), str(seed), str(out)]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if not out.exists():  # the process itself is gone: the worst of all
            raise SystemExit(f"{reader}, {way}: died with code {ended.returncode}\n{ended.stderr[-2000:].decode()}")
        found = json.loads(out.read_text(encoding="utf-8"))
    print(f"{reader}, {way}: {found}", flush=True)
    return {"reader": reader, "way": way, **found}


def _summed(reader: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    refused: Counter[str] = Counter()
    for part in parts:
        refused.update(part["refused"])
    return {
        "reader": reader,
        "inputs": sum(part["inputs"] for part in parts),
        "accepted": sum(part["accepted"] for part in parts),
        "refused": dict(sorted(refused.items())),
        "crashes": sum(sum(part["crashes"].values()) for part in parts),
        "slowest_s": max(part["slowest_s"] for part in parts),
        "memory_mb": max(part["memory_mb"] for part in parts),
    }


if __name__ == "__main__":
    sys.exit(main())
