"""The sections of the report that are words and tables, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mapmerge.fronts.verdict import told_apart
from mapmerge.report.formats import (
    ABSENT,
    count,
    interval,
    level,
    listing,
    number,
    objective_decimals,
    plural,
    volume_digits,
)
from mapmerge.report.headline import headline
from mapmerge.report.points import BASELINE_NAMES, KIND_WORDS, points_of
from mapmerge.report.tables import Cell, Column, table

BASELINE_WORDS = {
    "experts": "single experts",
    "uniform": "uniform merge",
    "best_scalar": "best scalar",
    "random_search": "random search",
    "before_refinement": "merges of the tree, before refinement",
}
"""What the report calls the baselines that the front is compared with."""


def sections_of(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the HTML of every section of words and tables, by its place in the template.

    Args:
        result: a result object of schema `mapmerge/result/1`.
    """
    return {
        "headline": headline(result),
        "front_lead": escape(f"{_front_lead(result)} {told_apart(result['front'])}".rstrip()),
        "cost_lead": escape(_cost_lead()),
        "comparisons_lead": escape(_comparisons_lead()),
        "comparisons": comparisons(result),
        "surrogates_lead": escape(_surrogates_lead(result)),
        "surrogates": surrogates(result),
        "failures": failures(result),
        "warnings": warnings(result),
        "points_lead": escape(_points_lead(result)),
        "points": points(result),
        "provenance": provenance(result),
    }


def comparisons(result: Mapping[str, Any]) -> str:
    """Return the table of the front against every baseline, in words and intervals."""
    digits = volume_digits(result)
    rows = [
        [
            Cell(BASELINE_WORDS.get(entry["baseline"], entry["baseline"])),
            Cell(number(entry["hypervolume"], digits), numeric=True),
            Cell(_signed(entry["difference"], digits), numeric=True),
            Cell(interval(entry["low"], entry["high"], digits), numeric=True),
            Cell(entry["words"], style="prose"),
        ]
        for entry in result.get("comparisons", ())
    ]
    if not rows:
        return '<p class="none">No baseline was measured.</p>'
    return table(
        "The front against each baseline",
        [
            Column("Baseline"),
            Column("Its hypervolume", numeric=True),
            Column("Front minus baseline", numeric=True),
            Column(f"{level(result)} interval", numeric=True),
            Column("In words"),
        ],
        rows,
    )


def surrogates(result: Mapping[str, Any]) -> str:
    """Return the table of how well each surrogate predicted what it had not seen, with the gate's verdict."""
    rows = []
    fits = result.get("surrogates", {})
    promised = (result.get("winners_curse") or {}).get("objectives", {})
    inside = (result.get("calibration") or {}).get("inside", {})
    digits = objective_decimals(result, [point.record for point in points_of(result)])
    for name in (objective["name"] for objective in result["objectives"] if objective["name"] in fits):
        fit = fits[name]
        verdict = Cell("passed", style="good") if fit["passed"] else Cell("not passed", style="bad")
        rows.append(
            [
                Cell(name),
                verdict,
                Cell("; ".join(fit.get("reasons", ())) or "nothing to object", style="prose"),
                Cell(number(fit["r2_cv"]), numeric=True),
                Cell(number(fit["loo_rmse"], 4), numeric=True),
                Cell(count(fit["points"]), numeric=True),
                _missed(promised.get(name), digits[name]),
                Cell(f"{inside[name]:.0%}" if name in inside else ABSENT, numeric=True),
                Cell(f"{fit['condition']:.1e}" if fit.get("condition") is not None else ABSENT, numeric=True),
                Cell(f"{fit['kind']}, {fit['link']} link"),
            ]
        )
    return table(
        "Quality of the surrogate of each objective",
        [
            Column("Objective"),
            Column("Gate"),
            Column("Reasons"),
            Column("R²", "left out", numeric=True),
            Column("RMSE", "left out", numeric=True),
            Column("Points", numeric=True),
            Column("Promised too much", "front, held-out", numeric=True),
            Column("In its interval", "front, held-out", numeric=True),
            Column("Condition", numeric=True),
            Column("Model"),
        ],
        rows,
    )


def failures(result: Mapping[str, Any]) -> str:
    """Return the table of evaluations that failed for good, or that there are none."""
    entries = result.get("failures", ())
    if not entries:
        return '<p class="none">None. Every evaluation that was asked for was measured.</p>'
    rows = [
        [
            Cell(entry["objective"]),
            Cell(entry["split"].replace("_", "-")),
            Cell(entry["error"], style="prose"),
            Cell(count(entry["attempts"]), numeric=True),
            Cell(_coefficients(entry["coefficients"]), style="mono"),
        ]
        for entry in entries
    ]
    columns = [
        Column("Objective"),
        Column("Item set"),
        Column("Error"),
        Column("Attempts", numeric=True),
        Column("Coefficients"),
    ]
    return table("Evaluations that failed", columns, rows)


def warnings(result: Mapping[str, Any]) -> str:
    """Return the list of warnings, or that there are none."""
    given = result.get("warnings", ())
    if not given:
        return '<p class="none">None.</p>'
    return f'<ul class="warnings">{"".join(f"<li>{escape(words)}</li>" for words in given)}</ul>'


def points(result: Mapping[str, Any]) -> str:
    """Return the table of every measured model, sortable by any column, dominated ones marked."""
    shown = points_of(result)
    objectives = [o["name"] for o in result["objectives"]]
    digits = objective_decimals(result, [p.record for p in shown])
    columns = [
        Column("Point"),
        Column("What it is"),
        *(Column(o["name"], _direction(o), numeric=True) for o in result["objectives"]),
        Column("On the front", "of resamples", numeric=True),
        Column("Not told apart from", "within the noise"),
        *(Column(name, "coefficient", numeric=True) for name in result["experts"]),
    ]
    rows = []
    for point in shown:
        record = point.record
        low, high = record.get("low") or {}, record.get("high") or {}
        share = record.get("probability_nondominated")
        rows.append(
            [
                Cell(point.name),
                Cell(KIND_WORDS[point.kind]),
                *(
                    Cell(
                        number(record["measured"].get(name), digits[name]),
                        interval(low[name], high[name], digits[name]) if name in low and name in high else "",
                        _order(record["measured"].get(name)),
                        numeric=True,
                    )
                    for name in objectives
                ),
                Cell(ABSENT if share is None else f"{share:.0%}", order=_order(share), numeric=True),
                _alike(record.get("indistinguishable_from")),
                *(
                    Cell(number(c, 3), order=_order(c), numeric=True)
                    for c in (record["coefficients"].get(name, 0.0) for name in result["experts"])
                ),
            ]
        )
    styles = [f"row-{point.kind}" for point in shown]
    return table("All measured models", columns, rows, row_styles=styles, sortable=True, name="all-points")


def provenance(result: Mapping[str, Any]) -> str:
    """Return the table of what the run was made from and with."""
    given: dict[str, Any] = {
        "run": result["run_uri"],
        "schema": result["schema"],
        "seed": result["seed"],
        **result.get("provenance", {}),
    }
    rows = [[Cell(name), Cell(value, style="mono")] for name, value in _flattened(given)]
    return table("What the run was made from and with", [Column("What"), Column("Value")], rows)


def _flattened(value: Mapping[str, Any], path: Sequence[str] = ()) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for key, inner in value.items():
        here = (*path, str(key).replace("_", " "))
        if isinstance(inner, Mapping) and set(inner) == {"items", "sha256"} and isinstance(inner["items"], int):
            lines.append((" · ".join(here), f"{plural(inner['items'], 'item')}, sha256 {inner['sha256']}"))
        elif isinstance(inner, Mapping):
            lines += _flattened(inner, here)
        else:
            lines.append((" · ".join(here), str(inner)))
    return lines


def _front_lead(result: Mapping[str, Any]) -> str:
    front, dominated = result["front"], result.get("dominated", ())
    delivered = len(front) + len(dominated)
    were = "was" if delivered == 1 else "were"
    found = (
        f"{plural(delivered, 'merged model')} predicted to lie on the front {were} measured on held-out items; "
        f"{_undominated(len(front), len(dominated))}."
    )
    if len(front) == 1:
        found += " With one model left there is nothing to trade off: it is the best measured in every objective."
    turned = [o["name"] for o in result["objectives"] if o["direction"] == "minimize"]
    axes = "Better is always up and to the right"
    if not turned:
        return f"{found} {axes}."
    run = "the axis of {} runs" if len(turned) == 1 else "the axes of {} run"
    return f"{found} {axes}: {run.format(listing(turned))} backwards, since lower is better there."


def _undominated(kept: int, dominated: int) -> str:
    if not dominated:
        return "it stands" if kept == 1 else "none is dominated by another"
    return f"{count(kept)} {'is' if kept == 1 else 'are'} dominated by no other"


def _cost_lead() -> str:
    return (
        "What each round of measuring added. Counted are evaluations, one candidate on one objective, on search items; "
        "measuring the front and the baselines on held-out items comes on top."
    )


def _comparisons_lead() -> str:
    return (
        "Hypervolume of the front minus that of each baseline, on the same held-out items. Intervals resample the "
        "items, the same ones for both sides; one that holds zero is no difference beyond the noise."
    )


def _surrogates_lead(result: Mapping[str, Any]) -> str:
    fits = result.get("surrogates", {})
    failed = [name for name, fit in fits.items() if not fit["passed"]]
    rule = "Each point is predicted from a fit that has not seen it."
    if not failed:
        return f"{rule} Every surrogate passed the gate.{_curse_lead(result)}"
    return (
        f"{rule} The gate did not pass {listing(failed)}: what was predicted there deserves doubt, "
        f"what was measured does not.{_curse_lead(result)}"
    )


def _curse_lead(result: Mapping[str, Any]) -> str:
    curse = result.get("winners_curse")
    if curse is None:
        return ""
    words = (
        " What counts is the front, for which a search picks what a surrogate overrates along with what is good: the "
        f"table says how much too much was promised of the {plural(curse['points'], 'delivered model')} on average "
        "(predicted less measured on held-out items, turned so that below zero is too little), and what share of their "
        f"scores lies in the {level(result)} interval that was predicted."
    )
    missed = curse["hypervolume"]
    if missed is None:
        return words
    side = "below" if missed["value"] > 0 else "above"
    return f"{words} The measured hypervolume is {abs(missed['value']):.0%} {side} the predicted one."


def _points_lead(result: Mapping[str, Any]) -> str:
    shown = points_of(result)
    return (
        f"{plural(len(shown), 'measured model')} with held-out scores, {level(result)} intervals and coefficients. "
        "The headings sort; the name of a front point picks it."
    )


def _alike(names: Sequence[str] | None) -> Cell:
    if not names:
        return Cell(ABSENT, order=0, style="names")
    return Cell(listing(BASELINE_NAMES.get(name, name) for name in names), order=len(names), style="names")


def _missed(promise: Mapping[str, Any] | None, digits: int) -> Cell:
    if promise is None:
        return Cell(ABSENT, numeric=True)
    spread = interval(promise["low"], promise["high"], digits)
    style = "" if promise["words"] == "no difference beyond the noise" else "bad"
    return Cell(_signed(promise["value"], digits), spread, numeric=True, style=style)


def _direction(objective: Mapping[str, Any]) -> str:
    better = "lower" if objective["direction"] == "minimize" else "higher"
    return f"{objective['metric'].replace('_', ' ')}, {better} is better"


def _coefficients(coefficients: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in coefficients.items() if value)


def _signed(value: float | None, digits: int) -> str:
    return f"+{number(value, digits)}" if value is not None and value > 0 else number(value, digits)


def _order(value: float | None) -> float | str:
    return "" if value is None else float(f"{value:.7g}")
