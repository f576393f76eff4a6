"""What was measured on held-out items, item by item."""

import numpy as np

from mapmerge.fronts.comparisons import Outcomes
from mapmerge.fronts.dominance import nondominated
from mapmerge.records import Array, Evaluation
from mapmerge.study import Study


class HeldOut:
    """Per-item outcomes of the candidates that could be measured on every objective, by their coefficients."""

    def __init__(self, study: Study) -> None:
        self._names = [objective.name for objective in study.objectives]
        self._signs = study.signs
        self._by_place: dict[bytes, dict[str, Evaluation]] = {}
        for evaluation in study.rounds[-1].evaluations:
            if evaluation.outcomes is not None:
                self._by_place.setdefault(evaluation.coefficients.tobytes(), {})[evaluation.objective] = evaluation

    def rows(self, candidates: Array) -> Array:
        """Return those of the candidates [n, k] that no objective failed on."""
        return candidates[[len(self._by_place.get(row.tobytes(), {})) == len(self._names) for row in candidates]]

    def outcomes(self, rows: Array) -> Outcomes:
        """Return outcomes to be maximised: for each objective a table [n, i]."""
        tables = []
        for name, sign in zip(self._names, self._signs, strict=True):
            found = [self._by_place[row.tobytes()][name].outcomes for row in rows]
            tables.append(np.stack([values for values in found if values is not None]) * np.float32(sign))
        return tables

    def gains(self, rows: Array) -> Array:
        """Return mean outcomes to be maximised, shape [n, m]."""
        return np.column_stack([table.mean(axis=1, dtype=np.float64) for table in self.outcomes(rows)])


def split(delivered: Array, measured: HeldOut) -> tuple[Array, Array]:
    """Part the delivered points into the front and the dominated, each from best to worst on the first objective."""
    gains = measured.gains(delivered)
    order = np.argsort(-gains[:, 0], kind="stable")
    kept = nondominated(gains)[order]
    return delivered[order][kept], delivered[order][~kept]
