"""Models of many objectives on a terminal: a column for each model, because their rows would not fit."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

MANY = 8
"""Objectives from which on, or experts, tables are turned."""

MOST = 5
"""Points of the front that are shown, so that all columns fit."""

Models = Sequence[tuple[str, Mapping[str, Any]]]


def scores_table(result: Mapping[str, Any], models: Models) -> Table:
    """Return what models scored: a row for each objective, and one for the mean of normalised scores.

    Args:
        result: where the units come from.
        models: names and records, as they are to stand from left to right.
    """
    table = _table("Measured on held-out items", models)
    names = [objective["name"] for objective in result["objectives"]]
    for name in names:
        table.add_row(name, *(f"{model['measured'][name]:.3f}" for _, model in models))
    table.add_row("mean, normalised", *(f"{_mean(result, names, model):.3f}" for _, model in models), style="bold")
    return table


def coefficients_table(result: Mapping[str, Any], models: Models) -> Table:
    """Return what models are made of: a row for each expert."""
    table = _table("Coefficients", models)
    for name in result["experts"]:
        table.add_row(name, *(f"{model['coefficients'][name]:.2f}" for _, model in models))
    return table


def _table(title: str, models: Models) -> Table:
    table = Table(title=title, box=None)
    table.add_column("")
    for name, _ in models:
        table.add_column(name, justify="right")
    return table


def _mean(result: Mapping[str, Any], names: Sequence[str], model: Mapping[str, Any]) -> float:
    low, high = (result["hypervolume"][end] for end in ("reference_point", "ideal_point"))
    shares = [(model["measured"][name] - low[name]) / (high[name] - low[name]) for name in names]
    return float(sum(shares) / len(names))
