"""Tables of methods side by side: what they find for what they spend."""

import statistics

from docs.tables.raw import RESULTS, read, table


def front_quality() -> str:
    """Return the table of front quality: ours and the paper's grid, by family and budget."""
    rows = []
    for name, design in (
        ("k2", "dirichlet-mass"),
        ("k2-paper-grid", "paper-grid"),
        ("k4", "dirichlet-mass"),
        ("k4-paper-grid", "paper-grid"),
    ):
        raw = read(f"front_quality-{name}")
        for entry in raw["summary"]:
            runs = [run for run in raw["results"] if run["evaluations"] == entry["evaluations"]]
            ours = [entry[key] for key in ("median_ratio", "least_ratio", "greatest_ratio")]
            rows.append(
                (
                    raw["study"],
                    f"`{design}`",
                    entry["evaluations"],
                    len(runs),
                    "{:.3f} ({:.3f} to {:.3f})".format(*ours),
                    f"{statistics.median(run['hypervolume_ratio_50'] for run in runs):.3f}",
                    f"{statistics.median(run['random_search_ratio'] for run in runs):.3f}",
                )
            )
    heads = ("family", "design", "evaluations an objective", "seeds", "ratio", "ratio, best 50", "random search")
    return table(heads, rows)


def sample_efficiency() -> str:
    """Return the table of methods by family and budget: medians over seeds."""
    rows = []
    for path in sorted(RESULTS.glob("sample-efficiency-*.json")):
        raw = read(path.stem)
        for entry in sorted(raw["summary"], key=lambda entry: (entry["units"], -entry["median"])):
            runs = [
                run
                for run in raw["results"]
                if (run["method"], run["units"]) == (entry["method"], entry["units"]) and "refused" not in run
            ]
            rows.append(
                (
                    raw["study"],
                    entry["units"],
                    f"`{entry['method']}`",
                    f"{entry['median']:.3f} ({entry['least']:.3f} to {entry['greatest']:.3f})"
                    if len(runs) > 1
                    else f"{entry['median']:.3f}, one seed",
                    "" if entry["median_oracle"] is None else f"{entry['median_oracle']:.3f}",
                    f"{statistics.median(run['candidates'] for run in runs):.0f}",
                    f"{statistics.median(run['seconds_asking_mean'] for run in runs):.1f}",
                )
            )
    heads = ("family", "units", "method", "ratio", "ratio, oracle", "candidates", "asking, s")
    return table(heads, rows)


def win_rate() -> str:
    """Return the headline table: win rates against direct searches, beside those of the poster; means over seeds."""
    rows: list[tuple[object, ...]] = []
    for path in sorted(RESULTS.glob("win-rate-k*.json")):
        raw = read(path.stem)
        k, poster = raw["k"], raw["poster"]
        told = {key: {"mean": poster[key], "sd": poster[f"{key}_sd"]} for key in ("win_rate", "r2")}
        rate, r2 = _mean(told["win_rate"], 100, 1), _mean(told["r2"], 1, 3)
        rows.append((k, "MAP, as on the poster", poster["candidates"], rate, rate, r2, *("",) * 4))
        for entry in sorted(raw["summary"], key=lambda entry: -entry["candidates"]):
            if entry["seeds"]:
                against = entry.get("against", {"even": entry, "grid": {}})  # older results have one direct search
                row = (
                    *(_mean(each.get("win_rate_strict"), 100, 1) for each in against.values()),
                    *(_mean(entry[key], 1, 3) for key in ("r2_search_mean", "r2_search_least", "r2_held_out_mean")),
                    *(_mean(each.get("hypervolume_ratio"), 1, 3) for each in against.values()),
                )
                rows.append((k, f"`{entry['method']}`", entry["candidates"], *row))
            else:
                rows.append((k, f"`{entry['method']}`", entry["candidates"], "refused", *("",) * 6))
    rates, r2s = ("win rate, %", "of grid, %"), ("R²", "R², least", "R², held out")
    return table(("k", "method", "candidates", *rates, *r2s, "hypervolume", "of grid"), rows)


def nested() -> str:
    """Return what nested merging costs and is worth beside searches over all experts: means over preferences, seeds."""
    rows = []
    raws = sorted((read(path.stem) for path in RESULTS.glob("nested-k*.json")), key=lambda raw: raw["summary"][0]["k"])
    for entry in (entry for raw in raws for entry in raw["summary"]):
        k, value, spread = entry["k"], entry["value"], entry["value_sd"]
        whole = "" if entry["method"] in ("map", "adaptive") else f"{entry['evaluations_of_all']:,.0f}"
        shown = f"{value:.3f}" if spread is None else f"{value:.3f} ({spread:.3f})"
        cost = f"{entry['evaluations']:,.0f}"
        rows.append((k, f"`{entry['method']}`", shown, f"{entry['value_even']:.3f}", cost, whole, entry["seeds"]))
    columns = ("k", "method", "value", "value, even", "evaluations", "of all preferences", "seeds")
    return table(columns, rows)


def _mean(entry: dict[str, float | None] | None, unit: int, digits: int) -> str:
    if entry is None or entry["mean"] is None:
        return ""
    spread = "" if entry["sd"] is None else f" ({unit * entry['sd']:.{digits}f})"
    return f"{unit * entry['mean']:.{digits}f}{spread}"


def item_sets() -> str:
    """What a given hypervolume costs with item sets of several sizes."""
    rows = [
        (
            f"{entry['share_of_reached']:.0%}",
            f"{entry['hypervolume']:.3f}",
            f"{entry['items']:,}",
            f"{'at most ' if entry['below_the_curve'] else ''}{entry['forwards_needed']:,.0f}",
            f"{entry['ratio']:.2f} ({entry['ratio_interval'][0]:.2f} to {entry['ratio_interval'][1]:.2f})",
        )
        for entry in read("item-sets")["summary"]
        if entry["method"] == "adaptive"
    ]
    return table(("of what is reached", "hypervolume", "search items", "item-forwards an objective", "ratio"), rows)
