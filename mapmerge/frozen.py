"""What a run froze of its study, read back without trusting it."""

from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from mapmerge.config.model import StudyConfig
from mapmerge.errors import IntegrityError
from mapmerge.ledger.runs import RunFolder
from mapmerge.records import Split


class _Evaluator(BaseModel, strict=True):
    name: str
    version: str
    items: int = Field(ge=1)
    identity: dict[str, Any]


class _Inputs(BaseModel, strict=True):
    base: str
    experts: dict[str, str]
    evaluators: dict[str, dict[Split, _Evaluator]]


class _Objective(BaseModel, strict=True, extra="allow"):
    name: str


class _Frozen(BaseModel, strict=True):
    run_schema: Literal["mapmerge/run/1"] = Field(alias="schema")
    mapmerge: str | None = None
    config: StudyConfig = Field(strict=False)
    root: str
    objectives: list[_Objective]
    inputs: _Inputs
    deterministic: dict[str, bool]
    warnings: list[str]
    tree: list[Any] | None = None
    extends: str | None = None
    known: dict[str, Any] | None = None
    delivered: list[list[float]] | None = None
    flow_run: str | None = None


def frozen_study(folder: RunFolder) -> dict[str, Any]:
    """Return what a run froze of its study, once all its parts are known to be there.

    Raises:
        MissingFileError: there is no such run.
        IntegrityError: a part is missing, is no such part, or does not fit the others; names the file.
    """
    written = folder.study()
    where = f"{folder.uri}/study.json"
    try:
        frozen = _Frozen.model_validate(written)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise IntegrityError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    objectives = {objective.name for objective in frozen.config.objectives}
    for what, named, known in (
        ("experts", {expert.name for expert in frozen.config.experts}, frozen.inputs.experts.keys()),
        ("objectives", objectives, {objective.name for objective in frozen.objectives}),
        ("evaluators", objectives, frozen.inputs.evaluators.keys()),
        ("deterministic", objectives, frozen.deterministic.keys()),
    ):
        if named != known:
            raise IntegrityError(f"{where}: {what}: expected those of the study, and nothing else")
    if any(len(row) != len(frozen.config.experts) for row in frozen.delivered or []) or frozen.delivered == []:
        raise IntegrityError(f"{where}: delivered: expected points with a coefficient for each expert")
    if any(len(splits) != 2 for splits in frozen.inputs.evaluators.values()):
        raise IntegrityError(f"{where}: evaluators: expected the splits search and held_out of each")
    return written
