"""A complete run with a ledger: what its held-out items said is made up, but recorded as a run records it."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.hostile_run import EXPERTS, NAMES, run_files
from mapmerge.address import evaluation_address
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store

ITEMS = 50


def record(folder: RunFolder, value: float, outcomes: NDArray[np.float32], names: tuple[str, ...] = NAMES) -> list[str]:
    """Record outcomes of the model whose coefficients all have one value; return the keys."""
    frozen, ledger = folder.study(), EvaluationLedger(folder.store)
    row = np.full(len(EXPERTS), value)
    return [
        ledger.put(
            evaluation_address(frozen, row, name, "held_out"), outcomes, seconds=0, device="cpu", run=folder.run_id
        ).key
        for name in names
    ]


def right_on(items: range) -> NDArray[np.float32]:
    """Return outcomes of a model that is right on these items and on no others."""
    outcomes = np.zeros(ITEMS, dtype=np.float32)
    outcomes[list(items)] = 1.0
    return outcomes


def recorded_run(output: Path) -> RunFolder:
    """Write the run `first`, and what its points and its unmerged models scored on each item."""
    run_files(output)
    folder = RunFolder(Store(str(output)), "first")
    for value, items in (
        (0.2, range(10)),
        (0.4, range(20)),
        (0.5, range(5, 30)),
        (0.6, range(30)),
        (0.7, range(12, 47)),
    ):
        record(folder, value, right_on(items))
    return folder


def another(folder: RunFolder, run_id: str, **changes: object) -> RunFolder:
    """Write a complete run beside it, with other words in its result."""
    other = RunFolder(folder.store, run_id)
    other.create(folder.study())
    result = {**folder.get_json("result"), "run_id": run_id, "run_uri": other.uri, **changes}
    other.put_json("result", json.loads(json.dumps(result)))
    other.put_json("surfaces", folder.get_json("surfaces"))
    other.seal(EvaluationLedger(other.store), [])
    return other
