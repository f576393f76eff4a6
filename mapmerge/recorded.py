"""Held-out measurements of a complete run, looked up again in the ledger that it wrote them to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmerge.address import evaluation_address
from mapmerge.errors import IntegrityError
from mapmerge.fronts.comparisons import Outcomes
from mapmerge.frozen import frozen_study
from mapmerge.ledger.evaluations import EvaluationLedger, evaluation_key
from mapmerge.ledger.runs import RunFolder
from mapmerge.records import JsonObject
from mapmerge.result_file import signs_of


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One held-out measurement: its key, and the metric for every item, shape [i]; None where the ledger lost it."""

    key: str
    outcomes: NDArray[np.float32] | None


def recorded(
    folder: RunFolder, frozen: JsonObject, models: Sequence[Mapping[str, Any]], objective: str
) -> list[Recorded]:
    """Return what the held-out items of one objective said of models.

    Args:
        folder: the run.
        frozen: its study, as `frozen_study` gives it.
        models: points or baselines of its result, with `coefficients`.
        objective: its name.

    Raises:
        IntegrityError: the study is about other experts or objectives.
    """
    experts = [expert["name"] for expert in frozen["config"]["experts"]]
    evaluators = frozen["inputs"]["evaluators"]
    if objective not in evaluators or any(set(model["coefficients"]) != set(experts) for model in models):
        raise IntegrityError(f"{folder.uri}/study.json: is about other experts or objectives than result.json")
    rows = [np.array([model["coefficients"][name] for name in experts]) for model in models]
    keys = [evaluation_key(evaluation_address(frozen, row, objective, "held_out")) for row in rows]
    stored = EvaluationLedger(folder.store).get_many(keys)
    items = evaluators[objective]["held_out"]["items"]
    sound = {key: each.outcomes for key, each in stored.items() if len(each.outcomes) == items}
    return [Recorded(key, sound.get(key)) for key in keys]


def front_outcomes(folder: RunFolder, result: Mapping[str, Any]) -> Outcomes:
    """Return what every item said of the front, to be maximised: for each objective a table [n, i].

    Args:
        folder: the run.
        result: its result.

    Raises:
        IntegrityError: an evaluation is no longer in the ledger, or the study cannot be read.
    """
    frozen, tables = frozen_study(folder), []
    for objective, sign in zip(result["objectives"], signs_of(result), strict=True):
        found = recorded(folder, frozen, result["front"], objective["name"])
        missing = [each.key for each in found if each.outcomes is None]
        if missing:
            raise IntegrityError(f"{folder.uri}: evaluation {missing[0]} is no longer in the ledger")
        tables.append(np.stack([each.outcomes for each in found if each.outcomes is not None]) * np.float32(sign))
    return tables
