"""How results look on a terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from flows.cli import turned as turned_tables
from flows.cli.terminal import terminal
from mapmerge.fronts.verdict import told_apart
from mapmerge.report.points import spread

_MOST_ROWS = 12
"""Points of a front that are listed; `front --csv` and the report have all of them."""


def print_result(result: Mapping[str, Any]) -> None:
    """Print the front, the baselines and the verdict."""
    console = terminal()
    objectives = [objective["name"] for objective in result["objectives"]]
    experts = list(result["experts"])
    turned = max(len(experts), len(objectives)) > turned_tables.MANY
    listed = spread(result["front"], turned_tables.MOST if turned else _MOST_ROWS)
    if turned:
        points = [(point["id"], point) for point in listed]
        console.print(turned_tables.coefficients_table(result, points))
        console.print(turned_tables.scores_table(result, [*points, *_single(result)]))
    else:
        console.print(_front_table(listed, experts, objectives))
    if len(result["front"]) > len(listed):
        console.print(f"… {len(result['front']) - len(listed)} more: mapmerge front {result['run_uri']} --csv\n")
    if noise := " ".join(filter(None, [told_apart(result["front"]), _calibration(result)])):
        console.print(f"{noise}\n", style="dim", markup=False)
    if not turned:
        console.print(_baseline_table(result, objectives))
    volume = result["hypervolume"]
    console.print(
        f"hypervolume {volume['value']:.3g} [{volume['low']:.3g}, {volume['high']:.3g}]   "
        f"evaluations {result['evaluations']} paid, {result['evaluations_reused']} from the ledger, "
        f"{result['evaluations_failed']} failed   items forwarded {result['items_forwarded']:,}   "
        f"{result['seconds']:.0f} s"
    )
    if extended := result.get("extends"):
        console.print(f"{extended['evaluations']} evaluations of {extended['run']} were re-used", markup=False)
    console.print(result["verdict"], style="bold")
    for warning in result["warnings"]:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(f"run     {result['run_uri']}", markup=False)
    console.print(f"report  {result['run_uri']}/report.html", markup=False)


def _front_table(points: list[Mapping[str, Any]], experts: list[str], objectives: list[str]) -> Table:
    table = Table(title="Front: coefficients; measured on held-out items ± half a 90 % interval, (predicted)", box=None)
    table.add_column("id")
    for name in experts:
        table.add_column(f"c {name}", justify="right")
    for name in objectives:
        table.add_column(name, justify="right")
    for point in points:
        coefficients = [f"{point['coefficients'][name]:.2f}" for name in experts]
        scores = [_score(point, name) for name in objectives]
        table.add_row(point["id"], *coefficients, *scores)
    return table


def _calibration(result: Mapping[str, Any]) -> str:
    """Say how many measured scores their prediction intervals hold; nothing for a result that does not know."""
    known = result.get("calibration")
    if known is None:
        return ""
    inside: Mapping[str, float] = known["inside"]
    overall, least = sum(inside.values()) / len(inside), min(inside, key=lambda name: inside[name])
    lowest = f", of {least} {100 * inside[least]:.0f} %" if inside[least] < overall else ""
    return (
        f"{100 * overall:.0f} % of measured scores lie in the {100 * known['level']:.0f} % interval predicted for"
        f" them{lowest}."
    )


def _score(point: Mapping[str, Any], name: str) -> str:
    half = (point["high"][name] - point["low"][name]) / 2
    return f"{point['measured'][name]:.3f} ±{half:.3f}\n[dim]({point['predicted'][name]:.3f})[/dim]"


def _single(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the baselines of one model, those that could be measured; of many experts each is good for its own."""
    baselines = result["baselines"]
    rows = [("base", baselines["base"]), ("uniform", baselines["uniform"]), ("best scalar", baselines["best_scalar"])]
    return [(name, point) for name, point in rows if point is not None]


def _baseline_table(result: Mapping[str, Any], objectives: list[str]) -> Table:
    table = Table(title="Baselines, measured on the same items", box=None)
    table.add_column("")
    for name in objectives:
        table.add_column(name, justify="right")
    baselines = result["baselines"]
    rows: Iterable[tuple[str, Mapping[str, Any] | None]] = (
        ("base", baselines["base"]),
        *((f"expert {name}", point) for name, point in baselines["experts"].items()),
        ("uniform merge", baselines["uniform"]),
        ("best scalar", baselines["best_scalar"]),
    )
    for name, point in rows:
        if point is None:  # it could not be measured; the warnings say so
            continue
        if "scalar" in point:
            name = f"{name} {point['scalar']:g}"
        table.add_row(name, *(f"{point['measured'][objective]:.3f}" for objective in objectives))
    return table


def print_pick(picked: Mapping[str, Any]) -> None:
    """Print coefficients and what they are expected to score."""
    console = terminal()
    table = Table(box=None)
    for name in ("objective", "expected", "interval"):
        table.add_column(name, justify="left" if name == "objective" else "right")
    for name, score in picked["predicted"].items():
        interval = f"{picked['predicted_low'][name]:.3f} … {picked['predicted_high'][name]:.3f}"
        table.add_row(name, f"{score:.3f}", interval)
    console.print(table)
    console.print(
        "coefficients  " + ", ".join(f"{name}={value:.4f}" for name, value in picked["coefficients"].items()),
        markup=False,
    )


def print_plan(planned: Mapping[str, Any]) -> None:
    """Print what a run would do and cost."""
    console = terminal()
    console.print(f"{planned['study']}: {len(planned['experts'])} experts, {len(planned['objectives'])} objectives")
    table = Table(box=None)
    for name in ("round", "candidates", "evaluations", "item-forwards"):
        table.add_column(name, justify="left" if name == "round" else "right")
    for entry in planned["rounds"]:
        table.add_row(
            entry["name"], str(entry["candidates"]), str(entry["evaluations"]), f"{entry['items_forwarded']:,}"
        )
    if planned.get("preferences", 1) > 1:
        alone = planned["one_preference"]
        table.add_row(
            "one preference alone", "", str(alone["evaluations"]), f"{alone['items_forwarded']:,}", style="dim"
        )
    total = planned["total"]
    words = "about" if planned.get("tree_grows") else "at most"
    table.add_row(words, "", str(total["evaluations"]), f"{total['items_forwarded']:,}", style="bold")
    console.print(table)
    if "tree" in planned:
        print(f"\n{planned['tree']}\n")  # a tree that is folded is none
    console.print(
        f"models {planned['bytes']['checkpoints'] / 1e6:,.1f} MB on disk, task matrix "
        f"{planned['bytes']['task_matrix'] / 1e6:,.1f} MB a machine; about {planned['seconds']['one_actor']:.0f} s of "
        f"measuring on one actor, {planned['seconds']['estimated']:.0f} s on {planned['seconds']['actors']}"
    )
    for warning in planned["warnings"]:
        console.print(f"warning: {warning}", style="yellow", markup=False)


def print_comparison(compared: Mapping[str, Any]) -> None:
    """Print runs side by side."""
    console = terminal()
    table = Table(box=None)
    indicators = {"hypervolume": "hypervolume", "gd": "GD", "igd": "IGD", "win_rate": "win rate"}
    for name in ("run", *indicators.values(), "evaluations", "item-forwards"):
        table.add_column(name, justify="left" if name == "run" else "right")
    for entry in compared["runs"]:
        cells = [f"{entry[key]['value']:.3f} ±{(entry[key]['high'] - entry[key]['low']) / 2:.3f}" for key in indicators]
        table.add_row(entry["run_id"], *cells, str(entry["evaluations"]), f"{entry['items_forwarded']:,}")
    console.print(table)
    console.print(compared["explanation"], style="dim")
