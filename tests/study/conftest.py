"""A world without models: what a candidate scores is a formula, so that a study can be tested alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mapmerge.answer.result import answer
from mapmerge.config import StudyConfig
from mapmerge.errors import RunError
from mapmerge.finished import FinishedRun
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store
from mapmerge.records import Array, Evaluation, Metric, Objective, Question, Sample
from mapmerge.study import FinalQuestion, Study

ITEMS = 50
ACCURACY = Metric("accuracy", 0.0, 1.0, True)
LOSS = Metric("loss", 0.0, None, False)


@dataclass(eq=False)
class World:
    """Objectives that are best at one peak each, and what happens when a study asks about them.

    Args:
        peaks: coefficients, shape [m, k].
        metrics: one an objective.
        rough: names of objectives that no quadratic can follow.
        fails: says whether (coefficients, objective, split) cannot be measured.
    """

    peaks: Array
    metrics: Sequence[Metric]
    rough: frozenset[str] = frozenset()
    fails: Callable[[Array, str, str], bool] = field(default=lambda coefficients, objective, split: False)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return tuple(Objective(f"{'zyxwv'[index]}", metric) for index, metric in enumerate(self.metrics))

    def study(self, **sections: Any) -> Study:
        """Return a study of this world; its objectives are z, y, x ..., its experts e0, e1 ..."""
        k = self.peaks.shape[1]
        values = {
            "name": "synthetic",
            "base": "base",
            "architecture": "torch.nn:Identity",
            "experts": [{"name": f"e{index}", "checkpoint": f"e{index}"} for index in range(k)],
            "objectives": [
                {"name": objective.name, "evaluator": "none", "search": "s", "held_out": "h"}
                for objective in self.objectives
            ],
            "method": "map",
            "baselines": {"scalars": [0.25, 0.5]},
            "search": {"kind": "chebyshev"},  # half the time of a union
            **sections,
        }
        items = (ITEMS,) * len(self.metrics)
        return Study(StudyConfig.model_validate(values), self.objectives, items, items)

    def score(self, coefficients: Array, index: int) -> float:
        """Return the true score: the link of a quadratic, unless the objective is rough."""
        name = self.objectives[index].name
        eta = 2.0 - 4.0 * float(((coefficients - self.peaks[index]) ** 2).sum())
        if name in self.rough:
            eta = 3.0 * float(np.sin(40.0 * coefficients.sum() + coefficients[0]))
        return 1 / (1 + np.exp(-eta)) if self.metrics[index].maximize else float(np.log1p(np.exp(-eta)))

    def measure(self, question: Question) -> list[Evaluation]:
        """Answer a question: one evaluation a request, as the ledger would give them."""
        names = [objective.name for objective in self.objectives]
        return [
            self._evaluation(row, names.index(name), question.split, sample, question.repeat)
            for row, name, sample in question.requests(names)
        ]

    def _evaluation(self, row: Array, index: int, split: Any, sample: Sample | None, repeat: int) -> Evaluation:
        objective = self.objectives[index]
        drawn = b"" if sample is None else sample.items.tobytes()
        key = f"{objective.name}-{split}-{row.tobytes().hex()}-{drawn.hex()}-{repeat}"
        if self.fails(row, objective.name, split):
            return Evaluation(key, row, objective.name, split, None, error="RuntimeError: no", sample=sample)
        # The items of a split differ in how hard they are; objectives see them in different orders.
        order = np.random.default_rng([index, split == "search"]).permutation(ITEMS)
        hardness = (np.arange(ITEMS)[order] + 0.5) / ITEMS
        score = self.score(row, index)
        outcomes = (hardness < score if objective.metric.maximize else score * 2 * hardness).astype(np.float32)
        seen = outcomes if sample is None else outcomes[sample.items]
        return Evaluation(key, row, objective.name, split, seen, sample=sample)

    def answer(self, study: Study) -> None:
        """Tell a study what it asks about next."""
        question = study.ask()
        assert question is not None
        study.tell(question, self.measure(question))

    def search(self, study: Study) -> None:
        """Tell a study everything it asks about on search items."""
        while (question := study.ask()) is not None:
            study.tell(question, self.measure(question))
        scalars = study.ask_scalars()
        study.tell(scalars, self.measure(scalars))

    def finish(self, study: Study) -> tuple[Any, FinalQuestion]:
        """Take a study to its end; returns its surfaces and its final question."""
        self.search(study)
        surfaces = study.fit()
        final = study.ask_final(study.predict(surfaces))
        study.tell(final.question, self.measure(final.question))
        return surfaces, final


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    """Make a world; by default two experts, accuracy at the first, a loss to be minimised at the second."""

    def make(k: int = 2, metrics: Sequence[Metric] = (ACCURACY, LOSS), **options: Any) -> World:
        peaks = np.array([np.eye(k)[index % k] * 0.9 for index in range(len(metrics))])
        return World(peaks, metrics, **options)

    return make


@pytest.fixture(scope="session")
def metrics() -> dict[str, Metric]:
    """The two metrics of these worlds."""
    return {"accuracy": ACCURACY, "loss": LOSS}


PUBLISHED = {
    **dict.fromkeys(("evaluations", "evaluations_reused", "evaluations_failed", "items_forwarded"), 3),
    "seconds": 0.5,
    "failures": [],
    "provenance": {"item_sets": {name: {"search": {"identity": {}}, "held_out": {"identity": {}}} for name in "zy"}},
}
"""What `tasks.publish` adds to an answer."""


@pytest.fixture(scope="session")
def make_finished(make_world: Callable[..., World]) -> Callable[[str], FinishedRun]:
    """Seal what a study of such a world found as a complete run, at a URI such as `memory://a/runs/b`."""
    world = make_world()
    study = world.study(budget={"front": 8})
    surfaces, final = world.finish(study)
    answered = answer(study, surfaces, final)

    def make(uri: str) -> FinishedRun:
        store, _, run_id = uri.rpartition("/runs/")
        folder = RunFolder(Store(store), run_id)
        folder.create({"config": study.config.model_dump(mode="json")})
        folder.put_json("surfaces", surfaces.to_json())
        with pytest.raises(RunError, match="half of a run"):
            FinishedRun.open(folder.uri)
        folder.put_json("result", {**answered, **PUBLISHED, "run_id": run_id, "run_uri": folder.uri})
        folder.seal(EvaluationLedger(folder.store), [])
        return FinishedRun.open(folder.uri)

    return make
