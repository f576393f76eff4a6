"""What a study file may say. Every field's description is the documentation of that field."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from mapmerge.config.nested import Nested
from mapmerge.config.section import Section
from mapmerge.designs.sphere import bins_per_angle
from mapmerge.errors import ConfigError, PreferenceError, did_you_mean
from mapmerge.nested.groups import Owners, group_weights, owners
from mapmerge.nested.tree import FEWEST
from mapmerge.nested.written import read_tree
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


class Budget(Section):
    """How much may be measured."""

    evaluations: int | None = Field(
        default=None,
        ge=1,
        description="What the search may spend, in evaluations of every objective on all its search items: as many "
        "candidates, or more of them on samples of the items (see `sampling`). Default: p = (k+1)(k+2)/2, as many as a "
        "quadratic in k coefficients has parameters, for `adaptive`, and 2p for the other methods. `nested` has "
        "budgets of its own.",
    )
    front: int = Field(
        default=50, ge=1, description="At most so many points are delivered and measured on held-out items."
    )


class Design(Section):
    """Which candidates are measured to fit the surrogates."""

    kind: Literal["dirichlet-mass", "sobol", "uniform-box", "paper-grid"] = Field(
        default="dirichlet-mass",
        description="`dirichlet-mass`: directions spread over the simplex times a spread total; `sobol` and "
        "`uniform-box`: the box; `paper-grid`: the regular grid of the MAP paper's released code, in [0, 1]^k.",
    )
    points: int | None = Field(
        default=None,
        ge=1,
        description="Candidates of the first round. `map` measures what the budget leaves beyond them only if a "
        "surrogate fails its gate; `direct`, `nsga2`, `bayesian` and `bayesian-paper` choose the others by what the "
        "first ones scored. Default: the whole budget for `map`, half of it for `direct` and `bayesian-paper`, a "
        "population for `nsga2`, a fifth of the candidates for `bayesian`. The other methods do not use it.",
    )
    mass: tuple[float, float] | None = Field(
        default=None,
        description="Least and greatest sum of the coefficients of a sampled candidate. `dirichlet-mass` has "
        "[0.3, 1.2 + 4/k] unless given, the latter from 1.6 to 2.2; `sobol` has no limit unless given.",
    )
    lower: float | None = Field(default=None, description="Least coefficient (`sobol`, `uniform-box`), 0 unless given.")
    upper: float | None = Field(
        default=None, description="Greatest coefficient (`sobol`, `uniform-box`), 1 unless given."
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        lower, upper = self.lower or 0.0, 1.0 if self.upper is None else self.upper
        if not lower < upper:
            raise ValueError(f"lower ({lower}) must be below upper ({upper}): are the bounds reversed?")
        if self.mass is not None and not self.mass[0] < self.mass[1]:
            raise ValueError(f"mass must be [least, greatest], got {list(self.mass)}: are the bounds reversed?")
        return self


class Sampling(Section):
    """Which search items an evaluation sees. The delivered front is measured on all held-out items in any case."""

    items: int | Literal["auto", "all"] = Field(
        default="auto",
        description="Search items of an objective that one evaluation sees: a number, `all`, or `auto`, which is a "
        "number chosen from the budget for `adaptive` and `bayesian` and all for the other methods.",
    )
    stratify: bool = Field(
        default=True,
        description="Draw them within strata of items that are about equally hard, once that is known.",
    )

    @field_validator("items", mode="after")
    @classmethod
    def _some_items(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 2:
            raise ValueError(f"an evaluation needs at least 2 items, got {value}")
        return value


class Gate(Section):
    """When a surrogate counts as good enough to be searched without a warning."""

    min_r2: float = Field(default=0.8, ge=0, le=1, description="Least cross-validated R2.")
    max_condition: float = Field(default=1e8, gt=1, description="Greatest condition number of the fit.")


class Search(Section):
    """How the surrogates' front is searched."""

    kind: Literal["union", "nsga3", "chebyshev"] = Field(
        default="union",
        description="`union` takes the best of NSGA-III and of the gradient search from many preferences.",
    )


class Adaptive(Section):
    """How `adaptive` spends its budget."""

    first: float = Field(
        default=0.4, gt=0, le=1, description="Share of the budget for the first round, which fills the region evenly."
    )
    rounds: int = Field(default=5, ge=1, description="Rounds after the first, of equal cost.")
    surrogate: Literal["auto", "quadratic", "gaussian-process", "margins"] = Field(
        default="auto",
        description="`auto` takes for each objective what predicts left-out measurements best, and the quadratic where "
        "nothing is better beyond noise.",
    )
    grow: bool = Field(
        default=True,
        description="Let the region grow where the predicted front presses on its outer edge; never beyond "
        "`design.upper`, where that is given.",
    )
    share: bool = Field(
        default=True,
        description="Give more items to the objectives in which the predicted front is more uncertain.",
    )
    race: bool = Field(
        default=False,
        description="Measure each round's candidates on half of their items first, and on the rest only those that "
        "are not dominated with confidence by then.",
    )
    min_gain: float = Field(
        default=0.0,
        ge=0,
        description="Stop when each of the last two rounds gained less than this share of the predicted hypervolume "
        "for each unit (one evaluation of every objective on all its search items) that it cost. 0: spend the budget.",
    )


class Bayesian(Section):
    """How `bayesian` asks."""

    batch: int = Field(default=1, ge=1, description="Candidates that are asked for at a time.")
    overlap: int = Field(
        default=4,
        ge=1,
        description="Questions that may be out at a time: whoever becomes free has its next candidate at once, chosen "
        "without the outcomes still to come. Part of the result, since it never depends on who is fast. No more than a "
        "quarter of all questions that the budget has room for.",
    )


class Baselines(Section):
    """What every front is compared with, besides the experts and the uniform merge."""

    scalars: list[float] = Field(
        default=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0],
        min_length=1,
        description="Task arithmetic with one scalar for all experts: the values tried on the search items. The best "
        "by mean normalised score is reported.",
    )


class Preflight(Section):
    """Checks of the checkpoints before anything is measured."""

    max_relative_norm: float = Field(
        default=1.0,
        gt=0,
        description="Greatest norm of a task vector relative to the base: beyond it, it is no child of the base.",
    )


class Compute(Section):
    """Where candidates are measured. Never changes a result, only its cost."""

    executor: Literal["ray", "serial"] = Field(
        default="ray", description="`ray`: actors on this machine or a cluster; `serial`: this process, one at a time."
    )
    address: str = Field(
        default="local",
        description="`local` starts Ray for the run, `auto` joins the cluster of this machine, HOST:PORT another.",
    )
    actors: int | None = Field(
        default=None, ge=1, description="How many actors. Default: as many as the resources allow, at most 64."
    )
    num_cpus: float = Field(default=1, ge=0, description="CPUs that one actor reserves; it computes with one thread.")
    num_gpus: float = Field(default=0, ge=0, description="GPUs that one actor reserves; fractions share one.")
    max_in_flight: int | None = Field(
        default=None, ge=1, description="Candidates handed out at a time. Default: two an actor."
    )
    timeout_s: float = Field(
        default=600, gt=0, description="A candidate that takes longer is taken from its actor and tried again."
    )
    attempts: int = Field(
        default=3, ge=1, description="How often a candidate is tried when its actor dies or is too slow."
    )
    max_failed_fraction: float = Field(
        default=0.2, ge=0, le=1, description="The run fails when a larger share of a round's evaluations failed."
    )


class StudyConfig(Section):
    """Everything that determines the result of a run, and where it is computed."""

    name: Name = Field(description="Name of the study.")
    base: str = Field(description="The base model: a `.safetensors` file or a folder that holds `model.safetensors`.")
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
        names = [entry.name for entry in value]
        twice = sorted({name for name in names if names.count(name) > 1})
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
        k, nested = len(self.experts), self.nested
        if k < FEWEST:
            raise ValueError(f"`nested` merges at least {FEWEST} experts, there is {k}: nothing to merge")
        if self.budget.evaluations is not None:
            raise ValueError(
                "budget.evaluations: `nested` has a budget for each node, nested.evaluations, and one for a last "
                "search over all experts at once, nested.refine: give those instead, and null here"
            )
        idle = [expert.name for expert in self.experts if expert.name not in owners_of(self).values()]
        if nested.tree == "paper" and idle:
            raise ValueError(
                f"the tree `paper` pairs experts by their scores, and expert {idle[0]!r} has no objective: give it one "
                "by `expert:` of an objective, or take `similarity` or `balanced`"
            )
        most = FEWEST if nested.tree == "paper" else min(k, nested.fan_in)
        if isinstance(nested.tree, list):
            try:
                tree = read_tree(nested.tree, [expert.name for expert in self.experts])
            except ConfigError as error:
                said = str(error)
                raise ValueError(f"nested.{said}" if said.startswith("tree") else f"nested.tree: {said}") from None
            most = max(len(node.children) for node in tree.nodes)
        p = parameter_count(most)
        given = nested.evaluations
        if nested.method == "map" and not isinstance(self.sampling.items, int) and given is not None and given < p:
            raise ValueError(
                f"nested.evaluations is {given}, but `map` fits p = (f+1)(f+2)/2 = {p} parameters an objective for a "
                f"node of f = {most} children: give at least {p}, better {2 * p}"
            )
        return self._preferences_fit()

    def _preferences_fit(self) -> Self:
        written = self.nested.preferences
        if self.nested.wishes > self.budget.front:
            raise ValueError(
                f"nested.preferences: there are {self.nested.wishes}, each of which may be delivered a merge of its "
                f"own, but budget.front is {self.budget.front}: raise it, or want less"
            )
        names = [objective.name for objective in self.objectives]
        for index, preference in enumerate(written if isinstance(written, list) else ()):
            where = f"nested.preferences[{index}]"
            for name in preference:
                if name not in names:
                    raise ValueError(f"{where}: no objective is called {name!r}; {did_you_mean(name, names)}")
            if not math.isfinite(sum(preference.values())):
                raise ValueError(f"{where}: expected weights that are finite and have a finite sum, got {preference}")
            try:
                group_weights(names, preference)
            except PreferenceError as error:
                raise ValueError(f"{where}: {error}") from None
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


def resolve(root: Path, location: str) -> Path:
    """Return a location of a study as a path; relative ones are relative to the study's folder.

    >>> str(resolve(Path("/studies/a"), "base"))
    '/studies/a/base'
    """
    return root / Path(location).expanduser()


def owners_of(config: StudyConfig) -> Owners:
    """Return which expert each objective of a study belongs to, None where it is nobody's.

    Raises:
        ConfigError: there is no such expert.
    """
    written = {each.name: each.expert for each in config.objectives if "expert" in each.model_fields_set}
    return owners([each.name for each in config.objectives], [each.name for each in config.experts], written)
