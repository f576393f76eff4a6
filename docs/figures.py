"""Tables of `docs/benchmarks.md`, made from the raw results: `python docs/figures.py` fills them in.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; a test checks that the page is up to date.
"""

import json
import re
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PAGE = DOCS / "benchmarks.md"
RESULTS = DOCS.parent / "benchmarks" / "results"


def filled(page: str) -> str:
    """Return the page with every table made anew."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]]()}\n<!-- end -->"

    return re.sub(r"(<!-- table: (\S+) -->)\n.*?<!-- end -->", table, page, flags=re.DOTALL)


def front_quality() -> str:
    """Return the table of front quality: ours and the paper's grid, by family and budget."""
    rows = []
    for name, design in (
        ("k2", "dirichlet-mass"),
        ("k2-paper-grid", "paper-grid"),
        ("k4", "dirichlet-mass"),
        ("k4-paper-grid", "paper-grid"),
    ):
        raw = _read(f"front_quality-{name}")
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
    return _table(heads, rows)


def reproducibility() -> str:
    """Return the table of what is the same."""
    raw = _read("reproducibility")
    summary, kills = raw["summary"], raw["results"]["kills"]
    shares = [kill["killed_after_records"] / kill["records"] for kill in kills]
    row = (
        "yes" if summary["executors_identical"] else "no",
        "yes" if summary["resumed_identical"] else "no",
        len(kills),
        ", ".join(f"{share:.0%}" for share in shares),
        summary["records_measured_again"],
    )
    heads = ("serial, Ray 1, Ray 2 identical", "resumed identical", "kills", "killed after", "records measured again")
    return _table(heads, [row])


def overhead() -> str:
    """Return the table of time and memory: medians over runs."""
    raw = _read("overhead")
    rows = [
        ("wall time, s", f"{raw['summary']['wall_s']:.1f}"),
        ("from the first event of the run to the last, s", f"{raw['summary']['from_first_to_last_evaluation_s']:.1f}"),
        ("forward passes, s of one core", f"{raw['summary']['forward_s']:.1f}"),
        ("not forward passes, share of wall time", f"{raw['summary']['overhead_share_of_wall']:.0%}"),
        ("the same, once started", f"{raw['summary']['overhead_share_once_started']:.0%}"),
        ("driver, peak private memory, MB", f"{raw['summary']['driver_peak_private_mb']:.0f}"),
        ("actor, peak private memory, MB", f"{raw['summary']['actor_peak_private_mb']:.0f}"),
        ("actor, with shared pages, MB", f"{raw['summary']['actor_peak_with_shared_mb']:.0f}"),
    ]
    return _table((f"median of {len(raw['results'])} runs on {raw['study']}, 2 actors", "value"), rows)


def surrogates() -> str:
    """Return the table of fits: medians over objectives and seeds."""
    rows = []
    for k in (2, 4, 8):
        for entry in _read(f"surrogates-k{k}")["summary"]:
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
    return _table(heads, rows)


def sample_efficiency() -> str:
    """Return the table of methods by family and budget: medians over seeds."""
    rows = []
    for path in sorted(RESULTS.glob("sample-efficiency-*.json")):
        raw = _read(path.stem)
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
                    f"{entry['median']:.3f} ({entry['least']:.3f} to {entry['greatest']:.3f})",
                    "" if entry["median_oracle"] is None else f"{entry['median_oracle']:.3f}",
                    f"{statistics.median(run['candidates'] for run in runs):.0f}",
                    f"{statistics.median(run['seconds_asking_mean'] for run in runs):.1f}",
                )
            )
    heads = ("family", "units", "method", "ratio", "ratio, oracle", "candidates", "asking, s")
    return _table(heads, rows)


def win_rate() -> str:
    """Return the headline table: win rates against a direct search, beside those of the poster; means over seeds."""
    raw = _read("win-rate")
    rows: list[tuple[object, ...]] = []
    for k, poster in raw["poster"].items():
        entries = [entry for entry in raw["summary"] if str(entry["k"]) == k]
        if entries:
            told = {key: {"mean": poster[key], "sd": poster[f"{key}_sd"]} for key in ("win_rate", "r2")}
            rows.append(
                (
                    k,
                    "MAP, as on the poster",
                    poster["candidates"],
                    "",
                    _mean(told["win_rate"], 100, 1),
                    _mean(told["r2"], 1, 3),
                    *("",) * 3,
                )
            )
        for entry in sorted(entries, key=lambda entry: -entry["candidates"]):
            if entry["seeds"]:
                row = (
                    _mean(entry["win_rate"], 100, 1),
                    _mean(entry["win_rate_strict"], 100, 1),
                    *(_mean(entry[key], 1, 3) for key in ("r2_search_mean", "r2_search_least", "r2_held_out_mean")),
                    _mean(entry["hypervolume_ratio"], 1, 3),
                )
                rows.append((k, f"`{entry['method']}`", entry["candidates"], *row))
            else:
                rows.append((k, f"`{entry['method']}`", entry["candidates"], "refused", *("",) * 5))
    r2s = ("R²", "R², least", "R², held out")
    return _table(("k", "method", "candidates", "win rate, %", "strict, %", *r2s, "hypervolume"), rows)


def nested() -> str:
    """Return what nested merging costs and is worth beside searches over all experts: means over preferences, seeds."""
    rows = []
    for entry in _read("nested")["summary"]:
        k, value, spread = entry["k"], entry["value"], entry["value_sd"]
        whole = "" if entry["method"] in ("map", "adaptive") else f"{entry['evaluations_of_all']:,.0f}"
        shown = f"{value:.3f}" if spread is None else f"{value:.3f} ({spread:.3f})"
        cost = f"{entry['evaluations']:,.0f}"
        rows.append((k, f"`{entry['method']}`", shown, f"{entry['value_even']:.3f}", cost, whole, entry["seeds"]))
    columns = ("k", "method", "value", "value, even", "evaluations", "of all preferences", "seeds")
    return _table(columns, rows)


def siblings() -> str:
    """Return the wall times of two independent nodes."""
    rows = [
        (entry["way"], f"{entry['seconds']:.1f}", f"{entry['side_by_side_takes']:.2f}x")
        for entry in _read("siblings")["summary"]
    ]
    return _table(("two nodes", "seconds", "side by side takes"), rows)


def _mean(entry: dict[str, float | None] | None, unit: int, digits: int) -> str:
    if entry is None or entry["mean"] is None:
        return ""
    spread = "" if entry["sd"] is None else f" ({unit * entry['sd']:.{digits}f})"
    return f"{unit * entry['mean']:.{digits}f}{spread}"


def prediction_space() -> str:
    """Return the table of surrogates of scores and of single items: root mean squares over objectives and seeds."""
    raw = _read("prediction-space-k4")
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
    return _table(("units", "scheme", "fit", "error, search", "error, held out", "seconds"), rows)


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
        for entry in _read("stopping")["summary"]
    ]
    return _table(("`adaptive.min_gain`", "units spent", "regret, median", "regret, greatest"), rows)


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
        for entry in _read("calibration")["summary"]
        if entry["intervals"] in _INTERVALS
    ]
    return _table(("units", "intervals of", "coverage", "of single held-out sets", "sets"), rows)


_INTERVALS = {
    "front": "measured scores, points on the front",
    "delivered": "measured scores, all delivered points",
    "predicted": "predicted scores",
    "hypervolume": "hypervolume",
}


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
        for entry in _read("item-sets")["summary"]
        if entry["method"] == "adaptive"
    ]
    return _table(("of what is reached", "hypervolume", "search items", "item-forwards an objective", "ratio"), rows)


def ablation() -> str:
    """Return the table of the parts of the adaptive method, each changed alone: medians over seeds."""
    raw = _read("ablation-k4")
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
    return _table((f"changed ({raw['study']}, {raw['summary'][0]['units']} units)", "ratio", "ratio, oracle"), rows)


def scale() -> str:
    """Return the table of growth with the number of experts."""
    rows = [
        (
            entry["k"],
            entry["nodes"],
            f"{entry['evaluations']:,}",
            f"{entry['constant']:.2f}",
            f"{entry['evaluations_of_map']:,}",
            f"{entry['wall_s']:.0f}",
            f"{entry['forward_s']:.1f}",
            f"{entry['orchestration_ms_an_evaluation']:.1f}",
            f"{entry['processor_driver_s']:.1f} + {entry['processor_server_s']:.1f}",
            f"{sum(entry['after_s'].values()):.1f}",
        )
        for entry in _read("scale")["results"]
    ]
    heads = (
        "k",
        "nodes",
        "evaluations",
        "/ (k log₂ k)",
        "`map` needs",
        "wall, s",
        "forward, s",
        "orchestration, ms an evaluation",
        "processor: run + server, s",
        "after the tree, s",
    )
    return _table(heads, rows)


def hostile() -> str:
    """Return the table of what readers did with hostile inputs."""
    rows = [
        (
            _READERS[entry["reader"]],
            f"{entry['inputs']:,}",
            f"{entry['accepted']:,}",
            f"{sum(entry['refused'].values()):,}",
            entry["crashes"],
            f"{entry['slowest_s']:.2f}",
            f"{entry['memory_mb']:.0f}",
        )
        for entry in _read("hostile")["summary"]
    ]
    heads = ("reader of", "inputs", "accepted", "refused", "crashes", "slowest, s", "memory, MB")
    return _table(heads, rows)


_READERS = {"study": "study files", "record": "evaluation records", "header": "safetensors headers", "run": "runs"}


def sharing() -> str:
    """Return the table of ways to share the task matrix: medians over repeats and actors."""
    rows = [
        (
            f"`{entry['way']}`",
            f"{entry['ready_s']:.2f}",
            f"{entry['private_mb']:.0f}",
            f"{1e3 * entry['merge_s']:.0f}",
        )
        for entry in _read("sharing")["summary"]
    ]
    return _table(("way", "seconds until ready", "private memory of an actor, MB", "merge, ms"), rows)


def _share(entry: dict[str, float] | None) -> str:
    return "" if not entry else f"{entry['mean']:.2f}"


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(heads)]
    lines.append(["---"] * len(lines[0]))
    lines += [[str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table
    for table in (
        front_quality,
        sample_efficiency,
        win_rate,
        nested,
        siblings,
        item_sets,
        ablation,
        prediction_space,
        stopping,
        calibration,
        reproducibility,
        overhead,
        scale,
        surrogates,
        sharing,
        hostile,
    )
}

if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
