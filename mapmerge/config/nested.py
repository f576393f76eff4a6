"""What a study file may say of nested merging."""

import math
from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mapmerge.config.sections import Section
from mapmerge.errors import ConfigError, PreferenceError, did_you_mean
from mapmerge.nested.groups import Owners, group_weights
from mapmerge.nested.tree import FEWEST, MOST
from mapmerge.nested.written import read_tree
from mapmerge.surrogates.features import parameter_count


class Nested(Section):
    """How `nested` merges: along which tree, and how each of its nodes is searched."""

    tree: Literal["similarity", "balanced", "paper"] | list[Any] = Field(
        default="balanced",
        description="Which experts meet where. `balanced`: neighbours in the study's order; `similarity`: those whose "
        "task vectors interact most are merged first; `paper`: always the two whose scores are closest, so that the "
        "tree grows while its nodes are measured; or a tree that is written out, such as `[[a, b], [c, [d, e]]]`.",
    )
    fan_in: int | None = Field(
        default=None,
        ge=FEWEST,
        le=MOST,
        description="Most children of a node of `balanced` and `similarity`, from 2 to 4. Default: 4. The other trees "
        "have their own.",
    )
    method: Literal["map", "adaptive"] = Field(default="adaptive", description="How each node is searched.")
    evaluations: int | None = Field(
        default=None,
        ge=1,
        description="Budget of each node, in evaluations of each objective that it looks at, which are those of the "
        "experts below it. Default: p = (f+1)(f+2)/2, as many as a quadratic in its f children has parameters, for "
        "`adaptive`, less those of unmerged models that are known on all items of all its objectives, as the base is; "
        "2p for `map`.",
    )
    rule: Literal["mean", "chebyshev"] = Field(
        default="mean",
        description="What a node hands up: the merge with the best weighted `mean` of predicted normalised scores, or "
        "with the best of its worst one by weight (`chebyshev`).",
    )
    preferences: int | list[dict[str, float]] = Field(
        default=1,
        description="What is wanted: one merge is found for each preference. A number: that many, spread evenly, the "
        "first of which wants all objectives alike; or written out, such as `[{a: 2, b: 1}]`: weights of objectives, "
        "those not named count nothing. Preferences share the nodes to which they make no difference.",
    )
    refine: int = Field(
        default=0,
        ge=0,
        description="What a last search over all experts at once may spend, starting from the merges found, in the "
        "units of `budget.evaluations`; 0: there is none.",
    )

    @field_validator("tree", mode="before")
    @classmethod
    def _a_tree(cls, value: object) -> object:
        known = ("similarity", "balanced", "paper")
        if isinstance(value, str) and value not in known:
            raise ValueError(f"there is no tree {value!r}; {did_you_mean(value, known)}")
        if not isinstance(value, (str, list)):
            raise ValueError(f"expected one of {', '.join(known)}, or a tree written out as lists, got {value!r}")
        return value

    @field_validator("preferences", mode="before")
    @classmethod
    def _some_preferences(cls, value: object) -> object:
        if isinstance(value, list):
            fits = bool(value) and all(
                isinstance(entry, dict) and all(map(_is_number, entry.values())) for entry in value
            )
        else:
            fits = isinstance(value, int) and _is_number(value) and value > 0
        if not fits:
            raise ValueError(
                f"expected a number from 1 on, or a list of weights such as [{{a: 2, b: 1}}], got {value!r}"
            )
        return value

    @model_validator(mode="after")
    def _nothing_for_nothing(self) -> Self:
        own = self.tree if self.tree == "paper" else "a tree that is written out"
        if self.tree not in ("similarity", "balanced") and self.fan_in is not None:
            raise ValueError(f"fan_in is for `similarity` and `balanced`; {own} has its own: leave it out")
        if self.tree == "paper" and self.wishes > 1:
            raise ValueError(
                f"the tree `paper` depends on what is wanted, so there can be one preference only, got {self.wishes}: "
                "take `similarity` or `balanced`, or start a run for each preference"
            )
        return self

    @property
    def most_children(self) -> int:
        """Most children of a node, where the tree is not written out and not the paper's."""
        return self.fan_in or MOST

    @property
    def wishes(self) -> int:
        """How many preferences there are."""
        return self.preferences if isinstance(self.preferences, int) else len(self.preferences)

    def check_tree(self, experts: Sequence[str], belongs: Owners, *, sampled: bool) -> None:
        """Raise unless these experts can be merged along the tree.

        Args:
            experts: their names.
            belongs: the expert of each objective.
            sampled: whether the study says how many items an evaluation sees.

        Raises:
            ValueError: with what is wrong.
        """
        k = len(experts)
        if k < FEWEST:
            raise ValueError(f"`nested` merges at least {FEWEST} experts, there is {k}: nothing to merge")
        idle = [expert for expert in experts if expert not in belongs.values()]
        if self.tree == "paper" and idle:
            raise ValueError(
                f"the tree `paper` pairs experts by their scores, and expert {idle[0]!r} has no objective: give it one "
                "by `expert:` of an objective, or take `similarity` or `balanced`"
            )
        most = FEWEST if self.tree == "paper" else min(k, self.most_children)
        if isinstance(self.tree, list):
            try:
                tree = read_tree(self.tree, experts)
            except ConfigError as error:
                said = str(error)
                raise ValueError(f"nested.{said}" if said.startswith("tree") else f"nested.tree: {said}") from None
            most = max(len(node.children) for node in tree.nodes)
        p, given = parameter_count(most), self.evaluations
        if self.method == "map" and not sampled and given is not None and given < p:
            raise ValueError(
                f"nested.evaluations is {given}, but `map` fits p = (f+1)(f+2)/2 = {p} parameters an objective for a "
                f"node of f = {most} children: give at least {p}, better {2 * p}"
            )

    def check_preferences(self, objectives: Sequence[str]) -> None:
        """Raise unless every preference is one of these objectives.

        Raises:
            ValueError: with what is wrong.
        """
        for index, preference in enumerate(self.preferences if isinstance(self.preferences, list) else ()):
            where = f"nested.preferences[{index}]"
            for name in preference:
                if name not in objectives:
                    raise ValueError(f"{where}: no objective is called {name!r}; {did_you_mean(name, objectives)}")
            if not math.isfinite(sum(preference.values())):
                raise ValueError(f"{where}: expected weights that are finite and have a finite sum, got {preference}")
            try:
                group_weights(objectives, preference)
            except PreferenceError as error:
                raise ValueError(f"{where}: {error}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
