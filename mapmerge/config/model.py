"""What a study file may say as a whole. Every field's description is the documentation of that field."""

from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from mapmerge.config.nested import Nested
from mapmerge.config.sections import (
    Adaptive,
    Baselines,
    Bayesian,
    Budget,
    Compute,
    Design,
    Gate,
    Preflight,
    Sampling,
    Search,
    Section,
)
from mapmerge.designs.sphere import bins_per_angle
from mapmerge.nested.groups import Owners, owners
from mapmerge.surrogates.features import parameter_count

Method = Literal["map", "adaptive", "bayesian", "bayesian-paper", "direct", "random", "nsga2", "nested"]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Architecture(Section):
    """Who builds the empty model that the merged weights are put into."""

    build: str = Field(
        description="`package.module:function`, called with `options`; it returns a `torch.nn.Module`. "
        "Code runs only because you name it here: a checkpoint can never name any."
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments of that function.")


class Expert(Section):
    """One model fine-tuned from the base."""

    name: Name = Field(description="What reports and coefficients call it.")
    checkpoint: str = Field(description="A `.safetensors` file, or a folder that holds `model.safetensors`.")


class ObjectiveConfig(Section):
    """One goal that merged models are measured on."""

    name: Name = Field(description="What reports and preferences call it.")
    evaluator: str = Field(description="Name of an evaluator plug-in, such as `classification`.")
    search: str = Field(description="Item set that the front is found on.")
    held_out: str = Field(description="Item set that the front is reported on; no item of it may be in `search`.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the evaluator.")
    expert: str | None = Field(
        default=None,
        description="Expert that it belongs to, for `nested`; null: nobody's. Default: the expert of the same name, if "
        "there is one.",
    )

    @model_serializer(mode="wrap")
    def _say_only_what_was_said(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = dump(self)
        if "expert" not in self.model_fields_set:  # null would mean something else when it is read again
            del values["expert"]
        return values


class StudyConfig(Section):
    """Everything that determines the result of a run, and where it is computed."""

    name: Name = Field(description="Name of the study.")
    base: str = Field(
        description="The base model: a `.safetensors` file or a folder that holds `model.safetensors`. Like every file "
        "that a study names, a path or `s3://bucket/key`."
    )
    architecture: Architecture = Field(description="How the empty model is built; a plain string is its `build`.")
    experts: list[Expert] = Field(min_length=1, description="The models fine-tuned from the base.")
    objectives: list[ObjectiveConfig] = Field(min_length=1, description="What merged models are measured on.")
    method: Method = Field(
        default="adaptive",
        description="How the search is done. `adaptive`: rounds of points on the front predicted so far, on fresh "
        "samples of items. `map`: one design, quadratic surrogates, search. `bayesian`: BoTorch asks for one candidate "
        "after the other (qLogNEHVI). `bayesian-paper`: the adaptive sampling of the MAP paper. `random`, `direct`, "
        "`nsga2`: searches without surrogates, as references. `nested`: experts are merged few at a time, along a "
        "tree.",
    )
    seed: int = Field(default=0, ge=0, description="Same seed, same front, bit for bit.")
    budget: Budget = Field(default_factory=Budget, description="How much may be measured.")
    design: Design = Field(default_factory=Design, description="Which candidates are measured.")
    sampling: Sampling = Field(default_factory=Sampling, description="Which search items an evaluation sees.")
    gate: Gate = Field(default_factory=Gate, description="When a surrogate is trusted.")
    search: Search = Field(default_factory=Search, description="How the front is searched.")
    adaptive: Adaptive = Field(default_factory=Adaptive, description="How `adaptive` spends its budget.")
    bayesian: Bayesian = Field(default_factory=Bayesian, description="How `bayesian` asks.")
    nested: Nested = Field(default_factory=Nested, description="How `nested` merges.")
    baselines: Baselines = Field(default_factory=Baselines, description="What the front is compared with.")
    preflight: Preflight = Field(default_factory=Preflight, description="Checks of the checkpoints.")
    compute: Compute = Field(default_factory=Compute, description="Where candidates are measured.")

    @field_validator("architecture", mode="before")
    @classmethod
    def _architecture_from_string(cls, value: object) -> object:
        return {"build": value} if isinstance(value, str) else value

    @field_validator("experts", "objectives", mode="after")
    @classmethod
    def _names_differ(cls, value: list[Any]) -> list[Any]:
        counts = Counter(entry.name for entry in value)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise ValueError(f"names must differ, but {', '.join(map(repr, twice))} is there more than once")
        return value

    @model_validator(mode="after")
    def _owners_are_known(self) -> Self:
        owners_of(self)
        return self

    @model_validator(mode="after")
    def _nested_fits(self) -> Self:
        if self.method != "nested":
            return self
        if self.budget.evaluations is not None:
            raise ValueError(
                "budget.evaluations: `nested` has a budget for each node, nested.evaluations, and one for a last "
                "search over all experts at once, nested.refine: give those instead, and null here"
            )
        if self.nested.wishes > self.budget.front:
            raise ValueError(
                f"nested.preferences: there are {self.nested.wishes}, each of which may be delivered a merge of its "
                f"own, but budget.front is {self.budget.front}: raise it, or want less"
            )
        experts = [expert.name for expert in self.experts]
        self.nested.check_tree(experts, owners_of(self), sampled=isinstance(self.sampling.items, int))
        self.nested.check_preferences([objective.name for objective in self.objectives])
        return self

    @model_validator(mode="after")
    def _budget_is_enough(self) -> Self:
        k = len(self.experts)
        if self.method in ("random", "direct", "nsga2") and self.evaluations < 2:
            raise ValueError(
                f"budget.evaluations is {self.evaluations}, but `{self.method}` chooses among what it measures: "
                "give at least 2"
            )
        if self.method == "bayesian-paper":
            bins_per_angle(k)
        elif self.method != "map" or isinstance(self.sampling.items, int):
            return self  # how many candidates samples make possible depends on the item sets
        p = parameter_count(k)
        if self.evaluations < p:
            raise ValueError(
                f"budget.evaluations is {self.evaluations}, but `{self.method}` fits p = (k+1)(k+2)/2 = {p} parameters "
                f"an objective for k = {k} experts: give at least {p}, better {2 * p}"
            )
        if not p <= self.design_points <= self.evaluations:
            raise ValueError(
                f"design.points is {self.design_points}, but must be from p = {p} to "
                f"budget.evaluations = {self.evaluations}"
            )
        return self

    @property
    def evaluations(self) -> int:
        """Evaluations of each objective that the search over all experts at once may spend."""
        if self.method == "nested":
            return self.nested.refine
        p = parameter_count(len(self.experts))
        return self.budget.evaluations or (p if self.method == "adaptive" else 2 * p)

    @property
    def design_points(self) -> int:
        """Candidates of the first round."""
        return self.design.points or self.evaluations


def owners_of(config: StudyConfig) -> Owners:
    """Return which expert each objective of a study belongs to, None where it is nobody's.

    Raises:
        ConfigError: there is no such expert.
    """
    written = {each.name: each.expert for each in config.objectives if "expert" in each.model_fields_set}
    return owners([each.name for each in config.objectives], [each.name for each in config.experts], written)
