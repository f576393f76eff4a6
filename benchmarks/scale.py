"""How the cost of nested merging grows with the number of experts, up to far more than anybody has trained here.

The families are synthetic: linear classifiers without bias, which merge as any model does. An expert is the base plus a
task vector, experts of one cluster resemble each other, and an objective's labels are drawn by its own expert. Forward
passes take next to no time, so that what is left is what the product itself costs. Runs are those of the command line,
in one process, measured from outside: by their events, their processor time and the records in their ledger. Only cost
is measured: where all experts are alike in kind, no merge is much better than the uniform one.

    python -m benchmarks.scale --experts 8,16,32,64,128 --out FILE.json

What is told first is the search along the tree: until the merge of the root is measured on search items. What follows
it, such as the surfaces over all experts, the baselines on held-out items and the report, is told apart.
"""

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import yaml
from safetensors.torch import save_file

from benchmarks.machine import write
from mapmerge.evaluators.item_sets import write_item_set
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.store import Store
from mapmerge.methods.nested import SETTLED
from mapmerge.randomness import generator
from mapmerge.records import Array
from tasks.tree import UNMERGED

INPUTS, CLASSES, ITEMS = 64, 8, 200
_CLUSTER = 4
"""Experts of a cluster."""

_ALIKE = 0.6
"""Share of a task vector's square that all experts of its cluster have in common."""

_SIZE = 0.7
"""Norm of a task vector in units of the base's."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", default="8,16,32,64,128", help="comma-separated (default %(default)s)")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, help="keeps families and runs (default: a temporary one)")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = []
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for k in map(int, options.experts.split(",")):
            results.append(measure(folder.resolve() / f"linear-{k}", k, options.overrides))
            print(results[-1], flush=True)
            write(options.out, "scale", results, parameters=INPUTS * CLASSES, items=ITEMS, overrides=options.overrides)


def measure(folder: Path, k: int, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Write a family of k experts, run nested merging on it, and return what that took.

    Args:
        folder: where to; must not exist.
        k: how many experts.
        overrides: values of the study to replace.
    """
    study = write_family(folder, k)
    command = [sys.executable, "-m", "flows.cli", "run", str(study), "--output", str(folder), "--run-id", "run"]
    for override in overrides:
        command += ["--set", override]
    own = {
        "PREFECT_API_URL": "",  # a server of its own, in a database of its own
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # it has to make a database first
        "MAPMERGE_CACHE": str(folder / "cache"),
    }
    with (folder / "log").open("w") as log:
        began = time.time()
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **own}, stdin=subprocess.DEVNULL)
        used = _follow(process, folder / "runs" / "run" / "events")
    if process.returncode:
        raise SystemExit(f"the run failed:\n{(folder / 'log').read_text()[-2000:]}")
    return {"k": k, **_costs(folder, k), **_times(folder, began, used)}


def write_family(folder: Path, k: int, *, items: int = ITEMS) -> Path:
    """Write base, experts, sets of so many items and a study for k experts, and return the study's file."""
    rng = generator(0, "scale", str(k))
    base = rng.standard_normal((CLASSES, INPUTS))
    common = rng.standard_normal((-(-k // _CLUSTER), CLASSES, INPUTS))
    own = rng.standard_normal((k, CLASSES, INPUTS))
    # Clusters are not neighbours in the study's order: the tree has to find them.
    cluster = rng.permutation(k) // _CLUSTER
    experts = base + _SIZE * (math.sqrt(_ALIKE) * common[cluster] + math.sqrt(1.0 - _ALIKE) * own)
    names = [f"e{index:03d}" for index in range(k)]
    folder.mkdir(parents=True)
    _write_model(folder / "base.safetensors", base)
    for name, weight in zip(names, experts, strict=True):
        _write_model(folder / f"{name}.safetensors", weight)
        for split in ("search", "held_out"):
            inputs = rng.standard_normal((items, INPUTS)).astype(np.float32)
            chance = rng.gumbel(size=(items, CLASSES))  # labels are drawn from the expert's own softmax
            labels = (inputs @ weight.T / 2.0 + chance).argmax(axis=1)
            write_item_set(folder / f"{name}-{split}.safetensors", torch.from_numpy(inputs), torch.from_numpy(labels))
    study = {
        "name": f"linear-{k}",
        "base": "base.safetensors",
        "architecture": {
            "build": "torch.nn:Linear",
            "options": {"in_features": INPUTS, "out_features": CLASSES, "bias": False},
        },
        "experts": [{"name": name, "checkpoint": f"{name}.safetensors"} for name in names],
        "objectives": [
            {"name": name, "evaluator": "classification"}
            | {split: f"{name}-{split}.safetensors" for split in ("search", "held_out")}
            for name in names
        ],
        "method": "nested",
        "nested": {"tree": "similarity", "fan_in": 2, "method": "map"},
        "budget": {"front": 1},
        "baselines": {"scalars": [1.0 / k]},
        "compute": {"executor": "serial"},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path


def _write_model(path: Path, weight: Array) -> None:
    save_file({"weight": torch.from_numpy(weight.astype(np.float32))}, path)


def _follow(process: subprocess.Popen[bytes], folder: Path) -> list[Array]:
    """Wait for a run to end; return its and its server's processor time when it started, and when its tree was done.

    Args:
        process: that runs.
        folder: of its events.
    """
    used: list[Array] = []
    while process.poll() is None:
        latest = _events(folder, last=1)
        if len(used) < 2 and latest and (not used or _name(latest[0]) == SETTLED):
            driver = psutil.Process(process.pid)
            used.append(np.array([_used(driver), sum(map(_used, driver.children(recursive=True)))]))
        time.sleep(0.02)
    return used


def _used(process: psutil.Process) -> float:
    """Return the processor time of a process, in seconds."""
    try:
        used = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


def _events(folder: Path, last: int = 0) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))[-last:]]


def _name(event: dict[str, Any]) -> str:
    """Return the name of a round, the kind of any other event."""
    return str(event["payload"].get("name", event["kind"]))


def _costs(folder: Path, k: int) -> dict[str, Any]:
    """Count evaluations of one objective on all its search items."""
    events = _events(folder / "runs" / "run" / "events")
    paid = {_name(event): event["payload"]["paid"] for event in events if event["kind"] == "round"}
    nodes = {name: count for name, count in paid.items() if ": " in name}
    evaluations = sum(nodes.values())
    return {
        "nodes": len(nodes),
        "evaluations": evaluations,
        "evaluations_unmerged": paid[UNMERGED],
        "evaluations_settled": paid[SETTLED],
        "constant": evaluations / (k * math.log2(k)),
        "evaluations_of_map": (k + 1) * (k + 2) * k,
    }


def _times(folder: Path, began: float, used: list[Array]) -> dict[str, Any]:
    """Tell where the seconds went."""
    events = _events(folder / "runs" / "run" / "events")
    times = [datetime.fromisoformat(event["time"]).timestamp() for event in events]
    settled = [_name(event) for event in events].index(SETTLED)
    records = [path for path in (folder / "evaluations").glob("*/*.json") if path.stat().st_mtime <= times[settled]]
    stored = EvaluationLedger(Store(folder.as_uri())).get_many(path.stem for path in records).values()
    wall, forward = times[settled] - times[0], sum(found.seconds for found in stored)
    driver, server = used[1] - used[0]
    return {
        "evaluations_measured": len(stored),
        "starting_s": times[0] - began,
        "wall_s": wall,
        "forward_s": forward,
        "orchestration_s": wall - forward,
        "orchestration_ms_an_evaluation": 1e3 * (wall - forward) / len(stored),
        "processor_driver_s": float(driver),
        "processor_server_s": float(server),
        "after_s": {_name(events[at]): times[at] - times[at - 1] for at in range(settled + 1, len(events))},
        "whole_s": times[-1] - times[0],
    }


if __name__ == "__main__":
    main()
