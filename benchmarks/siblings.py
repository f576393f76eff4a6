"""What it saves to search independent nodes of a merge tree side by side.

    python -m benchmarks.siblings --study ZOO/study.yaml --runs 3 --out FILE.json

The first four experts are merged along [[a, b], [c, d]]. The two lower nodes do not wait for each other: they are
searched side by side on two actors, one after the other on the same two, and one after the other on one. Timed is from
the end of what comes before them to the end of the later one. The first run of each way is not counted.
"""

import argparse
import json
import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from benchmarks.machine import write
from flows.nested import find_front
from mapmerge.ledger.runs import open_run
from tasks.tree import UNMERGED

WAYS = {
    "side by side, 2 actors": (2, 2),
    "one after the other, 2 actors": (1, 2),
    "one after the other, 1 actor": (1, 1),
}
"""How many nodes at a time, and on how many actors."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=60, help="candidates of a node")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results: list[dict[str, Any]] = [
        {"way": way, "run": run, "seconds": _timed(options.study.resolve(), options.evaluations, *WAYS[way])}
        for run in range(options.runs + 1)
        for way in WAYS
    ]
    counted = [one for one in results if one["run"] > 0]
    seconds = {way: statistics.median(one["seconds"] for one in counted if one["way"] == way) for way in WAYS}
    together = seconds["side by side, 2 actors"]
    summary = [{"way": way, "seconds": took, "side_by_side_takes": together / took} for way, took in seconds.items()]
    write(options.out, "siblings", results, study=options.study.resolve().parent.name, summary=summary)


def _timed(study: Path, evaluations: int, at_once: int, actors: int) -> float:
    whole = yaml.safe_load(study.read_text(encoding="utf-8"))
    a, b, c, d = (expert["name"] for expert in whole["experts"][:4])
    overrides = [
        *(f"{key}={json.dumps(whole[key][:4])}" for key in ("experts", "objectives")),
        f"nested.tree=[[{a}, {b}], [{c}, {d}]]",
        "nested.method=map",
        f"nested.evaluations={evaluations}",
        "budget.evaluations=null",
        f"compute.actors={actors}",
    ]
    with tempfile.TemporaryDirectory() as folder, patch("flows.nodes.MOST_AT_ONCE", at_once):
        uri = find_front(str(study), folder, "timed", overrides)
        rounds = [event for event in open_run(uri).events() if event["kind"] == "round"]
    ended = {event["payload"]["name"]: datetime.fromisoformat(event["time"]) for event in rounds}
    nodes = [when for name, when in ended.items() if name.startswith((f"{a}--{b} ", f"{c}--{d} "))]
    seconds = (max(nodes) - ended[UNMERGED]).total_seconds()
    print(f"{at_once} at once, {actors} actors: {seconds:.1f} s", flush=True)
    return seconds


if __name__ == "__main__":
    main()
