"""A run while it is being driven: its study, its folder, and its way to and from the ledger."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mapmerge.address import evaluation_address
from mapmerge.config import StudyConfig
from mapmerge.ledger.evaluations import EvaluationLedger, evaluation_key
from mapmerge.ledger.runs import RunFolder
from mapmerge.records import Array, Evaluation, Split
from mapmerge.response import objective_from_json
from mapmerge.study import Study
from tasks.pool import Finished
from tasks.resident import Blueprint

Place = tuple[bytes, str]
"""A candidate (the bytes of its coefficients) and the name of an objective."""


class Run:
    """One run of a study, live in the process that drives it.

    Nothing in here must survive that process: a resumed run asks the same questions again and finds the answers in the
    ledger.

    Args:
        folder: the run's folder.
        ledger: where evaluations are kept, shared by all runs of an output.
        frozen: what `tasks.inputs.freeze` made of the study.
    """

    def __init__(self, folder: RunFolder, ledger: EvaluationLedger, frozen: Mapping[str, Any]) -> None:
        self.folder = folder
        self.ledger = ledger
        self.frozen = frozen
        self.config = StudyConfig.model_validate(frozen["config"])
        self.objectives = tuple(objective_from_json(entry) for entry in frozen["objectives"])
        self.study = Study(self.config, self.objectives)
        self.blueprint = Blueprint(dict(frozen["config"]), frozen["root"])

    @property
    def uri(self) -> str:
        """Where the run is."""
        return str(self.folder.uri)

    def recall(self, candidates: list[Array], split: Split) -> dict[Place, Evaluation]:
        """Return what is known of candidates: from the ledger, or as a failure from this run's own records."""
        keys = {
            (row.tobytes(), objective.name): evaluation_key(self._address(row, objective.name, split))
            for row in candidates
            for objective in self.objectives
        }
        stored = self.ledger.get_many(keys.values())
        failures = {failure["key"]: failure["error"] for failure in self.folder.failures()}
        known: dict[Place, Evaluation] = {}
        for (place, objective), key in keys.items():
            coefficients = np.frombuffer(place)
            if key in stored:
                found = stored[key]
                known[place, objective] = Evaluation(
                    key,
                    coefficients,
                    objective,
                    split,
                    found.outcomes,
                    found.seconds,
                    reused=found.run != self.folder.run_id,
                )
            elif key in failures:
                known[place, objective] = Evaluation(key, coefficients, objective, split, None, error=failures[key])
        return known

    def keep(self, finished: Finished) -> list[Evaluation]:
        """Record what came of one piece of work and return it as evaluations."""
        row, split = finished.work.coefficients, finished.work.split
        kept = []
        for measured in finished.measured:
            inputs = self._address(row, measured.objective, split)
            key = evaluation_key(inputs)
            if measured.outcomes is None:
                error = measured.error or "no outcomes and no reason"
                details = {"coefficients": row.tolist(), "objective": measured.objective, "split": split}
                self.folder.record_failure(key, error=error, attempts=finished.attempts, details=details)
                kept.append(Evaluation(key, row, measured.objective, split, None, measured.seconds, error))
            else:
                stored = self.ledger.put(
                    inputs, measured.outcomes, seconds=measured.seconds, device=measured.device, run=self.folder.run_id
                )
                kept.append(Evaluation(key, row, measured.objective, split, stored.outcomes, measured.seconds))
        return kept

    def _address(self, coefficients: Array, objective: str, split: Split) -> dict[str, Any]:
        return evaluation_address(self.frozen, coefficients, objective, split)
