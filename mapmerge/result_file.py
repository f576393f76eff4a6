"""The result of a complete run, read back without trusting it: everything that readers use is there, and fits."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from mapmerge.errors import IntegrityError
from mapmerge.fronts.indicators import Normalisation
from mapmerge.ledger.runs import RunFolder
from mapmerge.records import Array

Number = Annotated[float, Field(ge=-1e100, le=1e100, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Scores = dict[str, Number]


class _Part(BaseModel, strict=True, extra="allow"):
    """Keys may be added to a result; those that are known have their meaning."""


class _Model(_Part):
    coefficients: Scores
    measured: Scores
    low: Scores
    high: Scores
    scalar: Number | None = None


class _Point(_Model):
    id: str
    predicted: Scores
    predicted_low: Scores
    predicted_high: Scores
    probability_nondominated: Number | None = None
    indistinguishable_from: list[str] = []


class _Objective(_Part):
    name: str
    metric: str
    direction: Literal["maximize", "minimize"]
    lower: Number | None
    upper: Number | None


class _Interval(_Part):
    value: Number
    low: Number | None
    high: Number | None


class _Volume(_Part):
    value: Number
    low: Number
    high: Number
    level: Number = 0.9
    predicted: Number
    reference_point: Scores
    ideal_point: Scores


class _LeftOut(_Part):
    measured: Number
    predicted: Number


class _Surrogate(_Part):
    kind: str
    link: str
    r2_cv: Number | None
    loo_rmse: Number
    condition: Number | None
    points: Count
    passed: bool
    reasons: list[str]
    loo: list[_LeftOut]


class _Promise(_Interval):
    words: str


class _Curse(_Part):
    points: Count
    level: Number
    objectives: dict[str, _Promise]
    hypervolume: _Promise | None


class _Calibration(_Part):
    points: Count
    level: Number
    inside: Scores = Field(min_length=1)


class _RandomSearch(_Part):
    points: list[_Model]
    hypervolume: _Interval | None
    share_of_cost: Number | None = None


class _Baselines(_Part):
    base: _Model | None
    uniform: _Model | None
    best_scalar: _Model | None
    experts: dict[str, _Model]
    random_search: _RandomSearch


class _Comparison(_Part):
    baseline: str
    hypervolume: Number
    difference: Number
    low: Number
    high: Number
    words: str


class _Step(_Part):
    round: str
    evaluations: Number
    hypervolume: Number | None


class _Failure(_Part):
    coefficients: Scores
    objective: str
    split: str
    error: str
    attempts: Count


class _Extends(_Part):
    run: str
    evaluations: Count


class _ItemSet(_Part):
    identity: dict[str, Any]


class _Provenance(_Part):
    item_sets: dict[str, dict[Literal["search", "held_out"], _ItemSet]]


class _Result(_Part):
    result_schema: Literal["mapmerge/result/1"] = Field(alias="schema")
    run_uri: str
    run_id: str
    study: str
    method: str
    seed: Count
    experts: list[str] = Field(min_length=1)
    objectives: list[_Objective] = Field(min_length=1)
    evaluations: Count
    evaluations_reused: Count
    evaluations_failed: Count
    items_forwarded: Count
    seconds: Number
    extends: _Extends | None = None
    hypervolume: _Volume
    surrogates: dict[str, _Surrogate]
    front: list[_Point] = Field(min_length=1)
    dominated: list[_Point]
    winners_curse: _Curse | None = None
    calibration: _Calibration | None = None
    baselines: _Baselines
    comparisons: list[_Comparison]
    verdict: str
    warnings: list[str]
    history: list[_Step]
    failures: list[_Failure]
    provenance: _Provenance

    def models(self) -> Iterator[_Model]:
        """Yield every measured model."""
        one = (self.baselines.base, self.baselines.uniform, self.baselines.best_scalar)
        yield from (model for model in one if model is not None)
        yield from (
            *self.front,
            *self.dominated,
            *self.baselines.experts.values(),
            *self.baselines.random_search.points,
        )

    def misfit(self) -> str | None:
        """Return which part does not have the names of this study's experts or objectives, None where all have."""
        experts, objectives = set(self.experts), {objective.name for objective in self.objectives}
        if len(experts) < len(self.experts) or len(objectives) < len(self.objectives):
            return "experts and objectives"
        volume = self.hypervolume
        if not all(volume.ideal_point.get(name) != volume.reference_point.get(name) for name in objectives):
            return "hypervolume"
        for model in self.models():
            scores = [model.measured, model.low, model.high]
            if isinstance(model, _Point):
                scores += [model.predicted, model.predicted_low, model.predicted_high]
            if set(model.coefficients) != experts or any(set(each) != objectives for each in scores):
                return "coefficients or scores"
        sets = self.provenance.item_sets
        points = {"reference point": volume.reference_point, "ideal point": volume.ideal_point}
        named: Mapping[str, Mapping[str, Any]] = points | {"surrogates": self.surrogates, "item sets": sets}
        wrong = [what for what, its in named.items() if set(its) != objectives]
        return wrong[0] if wrong else "item sets" if any(len(splits) != 2 for splits in sets.values()) else None


def read_result(folder: RunFolder) -> dict[str, Any]:
    """Return the result of a complete run.

    Raises:
        MissingFileError: it is not there.
        IntegrityError: it is no result of schema `mapmerge/result/1`; names the file and the key.
    """
    written = folder.get_json("result")
    where = f"{folder.uri}/result.json"
    try:
        wrong = _Result.model_validate(written).misfit()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise IntegrityError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if wrong is not None:
        raise IntegrityError(f"{where}: {wrong}: expected the names of this result's experts and objectives, no others")
    return written


def signs_of(result: Mapping[str, Any]) -> Array:
    """Return what turns the scores of each objective of a result into gains: 1, or -1 where lower is better; [m].

    >>> signs_of({"objectives": [{"direction": "maximize"}, {"direction": "minimize"}]}).tolist()
    [1.0, -1.0]
    """
    return np.array([-1.0 if each["direction"] == "minimize" else 1.0 for each in result["objectives"]])


def normalisation_of(result: Mapping[str, Any]) -> Normalisation:
    """Return the units of a result: 0 the worst unmerged model, 1 the best, an objective, as gains.

    Raises:
        BadInputError: its ideal is not above its reference.
    """
    names, signs = [each["name"] for each in result["objectives"]], signs_of(result)
    ends = ([result["hypervolume"][end][name] for name in names] for end in ("reference_point", "ideal_point"))
    return Normalisation(*(np.array(end) * signs for end in ends))
