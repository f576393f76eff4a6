"""The sections of a study file. Every field's description is the documentation of that field."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """A part of a study: unknown keys are refused, numbers are finite, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)


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
        "[0.3, 1.2 + 4/k] unless given, the latter from 1.6 to 2.2; a node of "
        "`nested` takes `sobol` with sums up to 2 instead; `sobol` has no limit unless given.",
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
