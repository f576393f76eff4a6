"""Tables of what teams run: a run at night, many at once, all from an empty clone, and the pages they read."""

import statistics
from typing import Any

from docs.tables.raw import read, table


def nights() -> str:
    """Return what a run with 200 evaluations spends beside them: a row a night."""
    rows = [
        (
            night["night"] + 1,
            night["evaluations"],
            f"{night['wall_s']:.0f}",
            f"{night['forward_s'] / night['actors']:.0f}",
            f"{night['outside_s']:.0f}",
            f"{night['to_the_start_s']:.0f}",
            ", ".join(f"{name} {seconds:.0f}" for name, seconds in night["rounds_s"].items()),
            f"{night['after_s']:.0f}",
        )
        for night in _steps("servers", "nightly")
    ]
    heads = (
        "night",
        "evaluations",
        "in all, s",
        "measuring, s",
        "all else, s",
        "to the start, s",
        "rounds, s",
        "after, s",
    )
    return table(heads, rows)


def together() -> str:
    """Return how studies that run at once share the actors."""
    (row,) = _steps("load", "together")
    shares = row["evaluations_together"]
    cells = (
        row["studies"],
        row["states"].count("COMPLETED"),
        sum(row["evaluations"]),
        f"{row['wall_s']:.0f}",
        f"{row['together_s']:.0f}",
        f"{min(shares)} to {max(shares)}",
        f"{row['furthest_from_fair']:.0%}",
        len(row["problems"]),
    )
    heads = (
        "studies",
        "completed",
        "evaluations",
        "in all, s",
        "all measure for, s",
        "evaluations of each in that time",
        "furthest from the mean",
        "not as manifests say",
    )
    return table(heads, [cells])


def loads() -> str:
    """Return what became of loads of runs."""
    rows = _steps("load", "load")
    walls = [row["wall_s"] for row in rows]
    cells = (
        len(rows),
        rows[0]["runs"],
        sum(row["failed"] for row in rows),
        sum(len(row["problems"]) for row in rows),
        f"{rows[-1]['minutes']:.0f}",
        f"{statistics.median(walls):.0f} ({min(walls):.0f} to {max(walls):.0f})",
    )
    heads = ("loads", "runs in each", "failed", "not as manifests say", "minutes in all", "a load, s")
    return table(heads, [cells])


def loads_memory() -> str:
    """Return the memory of every server before the first load, after each, and how much more the last one left."""
    rows = _steps("load", "load")
    cells = []
    for server, before in rows[0]["memory_mb_before"].items():
        after = [row["memory_mb"][server] for row in rows]
        growth = (after[-1] / after[0] - 1.0, after[-1] / after[-2] - 1.0)
        memory, more = (f"{each:.0f}" for each in (before, *after)), (f"{each:+.1%}" for each in growth)
        cells.append((server, *memory, *more))
    heads = ("server", "before, MB", *(f"after {row['load'] + 1}" for row in rows), "first to last", "last one")
    return table(heads, cells)


def from_clone() -> str:
    """Return the seconds of each command from an empty clone on."""
    rows = [
        (
            row["clone"] + 1,
            *(f"{seconds:.0f}" for seconds in row["seconds"].values()),
            f"{row['in_all_s']:.0f}",
            ", ".join(row["failed"]) or "none",
        )
        for row in read("from_clone")["results"]
    ]
    commands = read("from_clone")["results"][0]["seconds"]
    return table(("clone", *(f"`make {name}`, s" for name in commands), "to the front, s", "failed"), rows)


def pages() -> str:
    """Return what reports and the page of all runs weigh, how fast they open, and what axe finds: a row a page."""
    rows = []
    for page in read("pages")["results"]:
        grave = page["axe"]["critical"] + page["axe"]["serious"]
        report = page["page"] == "report"
        rows.append(
            (
                "a report" if report else f"{page['runs']} runs",
                page["objectives"] if report else "",
                page["delivered"] if report else "",
                f"{page['bytes'] / 1e6:.2f}",
                f"{page['compressed_bytes'] / 1e6:.2f}",
                f"{page['opened_ms'] / 1e3:.1f}",
                grave,
                sum(page["axe"].values()) - grave,
                len(page["complaints"]),
            )
        )
    heads = (
        "page",
        "objectives",
        "points",
        "MB",
        "compressed, MB",
        "to open, s",
        "serious findings",
        "others",
        "complaints",
    )
    return table(heads, rows)


def _steps(name: str, step: str) -> list[dict[str, Any]]:
    return [row for row in read(name)["results"] if row["step"] == step]
