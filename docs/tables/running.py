"""Tables of running: what it costs beside forward passes, and how it ends."""

from docs.tables.raw import median_of, read, table


def reproducibility() -> str:
    """Return the table of what is the same."""
    raw = read("reproducibility")
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
    return table(heads, [row])


def overhead() -> str:
    """Return the table of time and memory: medians over runs."""
    raw = read("overhead")
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
    return table((f"median of {len(raw['results'])} runs on {raw['study']}, 2 actors", "value"), rows)


def sharing() -> str:
    """Return the table of ways to share the task matrix: medians over repeats and actors."""
    rows = [
        (
            f"`{entry['way']}`",
            f"{entry['ready_s']:.2f}",
            f"{entry['private_mb']:.0f}",
            f"{1e3 * entry['merge_s']:.0f}",
        )
        for entry in read("sharing")["summary"]
    ]
    return table(("way", "seconds until ready", "private memory of an actor, MB", "merge, ms"), rows)


def siblings() -> str:
    """Return the wall times of two independent nodes."""
    rows = [
        (entry["way"], f"{entry['seconds']:.1f}", f"{entry['side_by_side_takes']:.2f}x")
        for entry in read("siblings")["summary"]
    ]
    return table(("two nodes", "seconds", "side by side takes"), rows)


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
        for entry in read("scale")["results"]
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
    return table(heads, rows)


def prefect_databases() -> str:
    """Return the table of what concurrent sub-flows do to either database: sums over runs, medians of seconds."""
    counts = (
        "runs",
        "failed",
        "sub_flows_at_once",
        "requests",
        "refused",
        "locked_server",
        "locked_client",
        "sent_again",
    )
    rows = [
        (
            entry["database"],
            *(f"{entry[name]:,}" for name in counts),
            f"{entry['tree_s']:.0f}",
            f"{entry['wall_s']:.0f}",
        )
        for entry in read("prefect-databases")["summary"]
    ]
    heads = (
        "database",
        "runs",
        "failed",
        "sub-flows at once",
        "requests",
        "refused",
        "locked: server",
        "locked: client",
    )
    return table((*heads, "sent again", "tree, s", "whole run, s"), rows)


def cancelled() -> str:
    """Return the table of cancelled flow runs: medians over repeats."""
    raw = read("cancel")["results"]
    rows = []
    for where in dict.fromkeys(row["ray"] for row in raw):
        there = [row for row in raw if row["ray"] == where]
        spread = (
            f"{median_of(there, key):.1f} ({max(row[key] for row in there):.1f})"
            for key in ("actors_s", "process_s", "told_s")
        )
        rows.append((where, len(there), *spread, sum(row["same_front"] for row in there)))
    heads = ("Ray", "runs", "actors gone, s", "process gone, s", "called cancelled, s", "resumed to the same front")
    return table(heads, rows)
