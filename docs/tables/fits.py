"""Tables of surrogates, and of what they are worth to a method."""

from docs.tables.raw import read, table


def surrogates() -> str:
    """Return the table of fits: medians over objectives and seeds."""
    rows = []
    for k in (2, 4, 8):
        for entry in read(f"surrogates-k{k}")["summary"]:
            unseen, against = entry["r2_search"], entry["rmse_search_over_ours"]
            rows.append(
                (
                    k,
                    entry["points"],
                    f"`{entry['fit']}`",
                    f"{unseen['median']:.3f} ({unseen['least']:.3f})",
                    f"{against['geometric_mean']:.2f}",
                    _share(entry.get("coverage_search")),
                    _share(entry.get("coverage_held_out")),
                )
            )
    heads = ("k", "points", "fit", "R² on unseen: median (least)", "error / ours", "coverage", "coverage, held out")
    return table(heads, rows)


def prediction_space() -> str:
    """Return the table of surrogates of scores and of single items: root mean squares over objectives and seeds."""
    raw = read("prediction-space-k4")
    order = {name: place for place, name in enumerate(("full", "fixed", "fresh"))}
    rows = [
        (
            entry["units"],
            f"`{entry['scheme']}`",
            f"`{entry['fit']}`",
            f"{entry['rmse_front_search']:.4f}",
            f"{entry['rmse_front_held_out']:.4f}",
            f"{entry['seconds']:.2f}",
        )
        for entry in sorted(raw["summary"], key=lambda e: (e["units"], order[e["scheme"]]))
        if entry["units"] in (10, 40)
    ]
    exact = raw["between_splits"]["rmse_front_held_out"]
    rows.append(("", "", "search items' score, known exactly", "0", f"{exact:.4f}", ""))
    return table(("units", "scheme", "fit", "error, search", "error, held out", "seconds"), rows)


def ablation() -> str:
    """Return the table of the parts of the adaptive method, each changed alone: medians over seeds."""
    raw = read("ablation-k4")
    changed = {
        "adaptive": "nothing",
        "adaptive-margins": "surrogate: margins only",
        "adaptive-quadratic": "surrogate: quadratic only",
        "adaptive-gaussian-process": "surrogate: Gaussian process only",
        "adaptive-identity-link": "link: identity, quadratic only",
        "adaptive-unstratified": "items: not stratified",
        "adaptive-unadjusted": "items: scores not freed of how hard their items were",
        "adaptive-whole-sets": "items: samples from whole sets",
        "adaptive-fixed-items": "items: one fixed sample for all candidates",
        "adaptive-all-items": "items: all of them, so ten candidates",
        "adaptive-even-items": "items: as many for every objective",
        "adaptive-race": "items: in two halves, the second only for what is not surely dominated",
        "adaptive-one-round": "rounds: the first one only",
        "adaptive-fixed-region": "region: does not grow",
        "adaptive-box": "region: the box [0, 1] by Sobol points",
    }
    rows = [
        (
            changed[entry["method"]],
            f"{entry['median']:.3f} ({entry['least']:.3f} to {entry['greatest']:.3f})",
            f"{entry['median_oracle']:.3f}",
        )
        for entry in sorted(raw["summary"], key=lambda entry: list(changed).index(entry["method"]))
    ]
    return table((f"changed ({raw['study']}, {raw['summary'][0]['units']} units)", "ratio", "ratio, oracle"), rows)


def stopping() -> str:
    """Return the table of the stopping rule: what it saves and what it costs, by threshold."""
    rows = [
        (
            f"{entry['min_gain']:g}",
            "{:.0f} ({:.0f} to {:.0f})".format(
                *(entry[f"units_spent_{which}"] for which in ("median", "least", "most"))
            ),
            f"{entry['regret_median']:.2%}",
            f"{entry['regret_most']:.2%}",
        )
        for entry in read("stopping")["summary"]
    ]
    return table(("`adaptive.min_gain`", "units spent", "regret, median", "regret, greatest"), rows)


def calibration() -> str:
    """Return the table of coverage: means over held-out sets."""
    rows = [
        (
            entry["units"],
            _INTERVALS[entry["intervals"]],
            f"{entry['coverage']:.1%} ± {entry['standard_error']:.1%}",
            "{:.0%} to {:.0%}".format(*entry["spread"]),
            entry["sets"],
        )
        for entry in read("calibration")["summary"]
        if entry["intervals"] in _INTERVALS
    ]
    return table(("units", "intervals of", "coverage", "of single held-out sets", "sets"), rows)


_INTERVALS = {
    "front": "measured scores, points on the front",
    "delivered": "measured scores, all delivered points",
    "predicted": "predicted scores",
    "hypervolume": "hypervolume",
}


def _share(entry: dict[str, float] | None) -> str:
    return "" if not entry else f"{entry['mean']:.2f}"
