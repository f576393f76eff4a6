"""A run whose measurements are made up, as many as wanted: realistic records without any model."""

from collections.abc import Iterator

import numpy as np

from mapmerge.config import StudyConfig
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from mapmerge.randomness import generator
from mapmerge.records import Question, Sample
from tasks.pool import Finished, Work
from tasks.resident import Measured
from tasks.run import Run

OBJECTIVES = 4
"""Records of one candidate."""

ITEMS, SAMPLED = 2000, 250
"""Items of a set, and of a sample of it."""


def open_made_up(ledger: EvaluationLedger, run_id: str = "made-up") -> Run:
    """Return a run of four experts and objectives, which has a folder but no models."""
    names = [f"e{index}" for index in range(OBJECTIVES)]
    config = StudyConfig.model_validate(
        {
            "name": "made-up",
            "base": "base.safetensors",
            "architecture": {"build": "mapmerge.zoo.vision:encoder"},
            "experts": [{"name": name, "checkpoint": f"{name}.safetensors"} for name in names],
            "objectives": [
                {"name": name, "evaluator": "classification", "search": f"{name}-s", "held_out": f"{name}-h"}
                for name in names
            ],
            "method": "random",
        }
    )

    def evaluator(name: str, split: str) -> dict[str, object]:
        about = {"batch_size": 128, "head": _hash(name), "item_set": _hash(name, split), "metric": "accuracy"}
        return {"name": "classification", "version": "1", "items": ITEMS, "identity": about}

    metric = {"metric": "accuracy", "direction": "maximize", "lower": 0.0, "upper": 1.0}
    frozen = {
        "config": config.model_dump(mode="json"),
        "root": "/",
        "objectives": [{"name": name, **metric} for name in names],
        "inputs": {
            "base": _hash("base"),
            "experts": {name: _hash("expert", name) for name in names},
            "evaluators": {name: {split: evaluator(name, split) for split in ("search", "held_out")} for name in names},
        },
        "deterministic": {},
    }
    return Run(RunFolder(ledger.store, run_id), ledger, frozen)


def question(run: Run, first: int, last: int) -> Question:
    """Return the question about some candidates: every second one on samples of the items, the others on all."""
    rows, wanted = [], []
    for number in range(first, last):
        rng = generator(0, "ledger", number)
        rows.append(rng.dirichlet(np.ones(OBJECTIVES)))
        sample = _sample(rng) if number % 2 == 0 else None
        wanted.append(dict.fromkeys([objective.name for objective in run.objectives], sample))
    return Question(f"asked-{first}", "search", np.array(rows), tuple(wanted))


def measurements(run: Run, first: int, last: int) -> Iterator[Finished]:
    """Yield what an actor would tell of each of these candidates: margins of samples, outcomes of all items."""
    asked = question(run, first, last)
    assert asked.wanted is not None
    for number, (row, wanted) in enumerate(zip(asked.coefficients, asked.wanted, strict=True), first):
        rng = generator(0, "ledger", "outcomes", number)
        measured = []
        for name, sample in wanted.items():
            margins = rng.normal(1.0, 1.0, ITEMS if sample is None else SAMPLED).astype(np.float32)
            outcomes = (margins > 0).astype(np.float32)
            measured.append(
                Measured(name, outcomes, seconds=1.0, device="cpu", margins=None if sample is None else margins)
            )
        yield Finished(Work(row, "search", wanted), measured, in_flight=1)


def open_ledger(uri: str) -> EvaluationLedger:
    """Return the ledger of a store."""
    return EvaluationLedger(Store(uri))


def _sample(rng: np.random.Generator) -> Sample:
    items = np.sort(rng.choice(ITEMS, SAMPLED, replace=False))
    return Sample(items, items * 10 // ITEMS, np.full(10, 0.1))


def _hash(*words: str) -> str:
    return generator(0, *words).bytes(32).hex()
