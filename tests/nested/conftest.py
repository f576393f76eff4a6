"""Nested merging without models, flows or a ledger: what a merge scores is a formula, and a driver asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from mapmerge.config import StudyConfig
from mapmerge.config.nodes import node_study
from mapmerge.fronts.indicators import Normalisation
from mapmerge.nested.choice import choose
from mapmerge.nested.compose import lift, lift_question, lower_answers
from mapmerge.nested.groups import group_weights, looks_at, owners
from mapmerge.nested.plan import NodeRun, needed
from mapmerge.nested.scale import leaf_scale
from mapmerge.nested.tree import Tree
from mapmerge.randomness import generator
from mapmerge.records import Array, Evaluation, Metric, Objective, Question
from mapmerge.study import Study

ITEMS = 2000
ACCURACY = Metric("accuracy", 0.0, 1.0, True)
LOSS = Metric("loss", 0.0, None, False)


@dataclass(eq=False)
class Family:
    """Experts whose task vectors have the given cosines, each best at one objective; all else is interference.

    The score of objective j is the link of 2.5 - (c - e_j) A_j (c - e_j) with A_j = 4 (g_j g_j' + interference G):
    what matters to it is the merge along its own expert's direction g_j, and a little how far it is from that expert.
    """

    cosines: Array
    metrics: Sequence[Metric]
    interference: float = 0.08
    measured: dict[tuple[bytes, str], float] = field(default_factory=dict)

    @property
    def k(self) -> int:
        return len(self.cosines)

    @property
    def experts(self) -> tuple[str, ...]:
        return tuple(f"e{index}" for index in range(self.k))

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return tuple(Objective(name, metric) for name, metric in zip(self.experts, self.metrics, strict=True))

    def gain(self, coefficients: Array, index: int) -> float:
        away = coefficients - np.eye(self.k)[index]
        along = away @ self.cosines[index]
        eta = 2.5 - 4.0 * (along**2 + self.interference * float(away @ self.cosines @ away))
        maximize = self.metrics[index].maximize
        return float(1 / (1 + np.exp(-eta))) if maximize else -float(np.log1p(np.exp(-eta)))

    def gains(self, coefficients: Array) -> Array:
        return np.array([[self.gain(row, index) for index in range(self.k)] for row in coefficients])

    @property
    def scale(self) -> Normalisation:
        return leaf_scale(self.gains(np.zeros((1, self.k)))[0], np.diag(self.gains(np.eye(self.k))))

    def worth(self, coefficients: Array, weights: Array) -> float:
        """Return the true weighted mean of normalised gains of one merge."""
        return float(self.scale.apply(self.gains(coefficients[None]))[0] @ weights / weights.sum())

    def best(self, weights: Array) -> float:
        """Return the most that any merge is worth."""
        starts = [np.full(self.k, 0.3), np.full(self.k, 0.8), weights / weights.max()]
        return max(-minimize(lambda c: -self.worth(c, weights), start).fun for start in starts)

    @property
    def config(self) -> StudyConfig:
        return StudyConfig.model_validate(
            {
                "name": "family",
                "base": "base",
                "architecture": "torch.nn:Identity",
                "experts": [{"name": name, "checkpoint": name} for name in self.experts],
                "objectives": [
                    {"name": name, "evaluator": "none", "search": "s", "held_out": "h"} for name in self.experts
                ],
                "method": "random",
                "adaptive": {"surrogate": "quadratic"},
            }
        )

    def measure(self, question: Question, names: Sequence[str]) -> list[Evaluation]:
        """Answer a question about merges of the experts, each measurement once."""
        once: dict[tuple[bytes, str], Evaluation] = {}
        for row, name, sample in question.requests(names):
            index = self.experts.index(name)
            score = self.gain(row, index) * self.metrics[index].sign
            self.measured[row.tobytes(), name] = score
            order = np.random.default_rng(index).permutation(ITEMS)
            hardness = (np.arange(ITEMS)[order] + 0.5) / ITEMS
            outcomes = hardness < score if self.metrics[index].maximize else score * 2 * hardness
            seen = outcomes.astype(np.float32)
            key = f"{name}-{row.tobytes().hex()}-" + ("" if sample is None else sample.items.tobytes().hex())
            kept = seen if sample is None else seen[sample.items]
            once[row.tobytes(), key] = Evaluation(key, row, name, question.split, kept, sample=sample)
        return list(once.values())


@dataclass(eq=False)
class Driver:
    """Runs nodes as they are needed and keeps what they found, as a flow does with processes and records."""

    family: Family
    tree: Tree
    method: Any = "map"
    rule: Any = "mean"
    written: Any = field(default_factory=dict)
    runs: dict[str, Study] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    evaluations: int = 0

    @property
    def owners(self) -> Any:
        return owners(self.family.experts, self.family.experts, self.written)  # objectives are called like experts

    def merge(self, preferences: Sequence[dict[str, float]]) -> list[dict[str, Array]]:
        """Return for each preference what was chosen for every node."""
        chosen: list[dict[str, Array]] = [{} for _ in preferences]
        while runs := needed([self.tree.ready(done) for done in chosen], chosen, self.tree.experts):
            for run in runs:
                if run.key not in self.runs:
                    self.runs[run.key] = self.search(run)
                    self.names.append(run.node.name)
                for number in run.waiting:
                    chosen[number][run.node.name] = self.choose(run, preferences[number])
        return chosen

    def roots(self, preferences: Sequence[dict[str, float]]) -> list[Array]:
        return [done[self.tree.root.name] for done in self.merge(preferences)]

    def search(self, run: NodeRun) -> Study:
        names = looks_at(run.node, self.owners, self.family.experts)
        objectives = tuple(objective for objective in self.family.objectives if objective.name in names)
        config = node_study(self.family.config, run.node, names, method=self.method)
        study = Study(config, objectives, (ITEMS,) * len(names), (ITEMS,) * len(names))
        while (question := study.ask()) is not None:
            answers = self.family.measure(lift_question(question, run.axes), names)
            self.evaluations += len(answers)
            study.tell(question, lower_answers(question, run.axes, answers, names))
        return study

    def choose(self, run: NodeRun, preference: dict[str, float]) -> Array:
        study = self.runs[run.key]
        places = [self.family.experts.index(objective.name) for objective in study.objectives]
        whole = self.family.scale
        scale = Normalisation(whole.reference[places], whole.ideal[places])
        weights = group_weights(study.brief.names, preference)
        rng = generator(0, "choose", run.node.name)
        found = choose(study.fit().landscape(), weights, scale, rule=self.rule, rng=rng)
        return lift(found[None], run.axes)[0]


@pytest.fixture(scope="session")
def make_family():
    """Make a family: pairs of neighbours are alike, the rest nearly orthogonal."""

    def make(k: int, metrics: Sequence[Metric] | None = None, **options: Any) -> Family:
        rng = np.random.default_rng(k)
        vectors = rng.standard_normal((k, 200))
        vectors[1::2] += 0.7 * vectors[: 2 * (k // 2) : 2]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Family(vectors @ vectors.T, metrics or (ACCURACY,) * k, **options)

    return make


@pytest.fixture(scope="session")
def mixed() -> tuple[Metric, ...]:
    """Metrics of four objectives: some to be maximised, some minimised."""
    return ACCURACY, LOSS, ACCURACY, LOSS


@pytest.fixture(scope="session")
def make_driver():
    """Make the driver of a family's tree."""
    return Driver
