"""Commands about a whole store: list its runs, on the terminal or as a page, and remove what none of them needs."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mapmerge.errors import BadInputError

if TYPE_CHECKING:
    from mapmerge.ledger.listing import RunSummary
    from mapmerge.ledger.pruning import PrunePlan

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"([0-9]{1,9})([smhdw])")
_MOST = 20
"""Objects to be removed that are listed by name; `--json` has all."""


def runs(options: argparse.Namespace) -> int:
    """List the runs of a store."""
    from mapmerge.ledger.listing import find_store, list_runs

    store = find_store(options.store)
    found = list_runs(store)
    if options.json:
        listed = [run.to_json() for run in found]
        print(json.dumps({"schema": "mapmerge/runs/1", "store": store.uri, "runs": listed}, indent=2, allow_nan=False))
    else:
        _print_runs(found)
    return 0


def index(options: argparse.Namespace) -> int:
    """Write one page about all runs of a store."""
    from datetime import UTC, datetime

    from mapmerge.ledger.listing import find_store
    from mapmerge.overview import overview
    from mapmerge.report.place import relative_folder, require_place, write_page
    from mapmerge.report.runs_page import render_runs

    if options.newest < 0:
        raise BadInputError(f"--newest {options.newest}: expected a number of runs, 0 or more")
    store = find_store(options.store)
    out = options.out or f"{store.uri.removeprefix('file://')}/index.html"
    require_place(out)
    written = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    folder = relative_folder(store.uri, out)
    print(write_page(out, render_runs(overview(store, newest=options.newest), written=written, folder=folder)))
    return 0


def prune(options: argparse.Namespace) -> int:
    """Remove what no run of a store needs."""
    from mapmerge.ledger import pruning
    from mapmerge.ledger.listing import find_store

    age = seconds(options.older_than)
    store = find_store(options.store)

    def tell(plan: "PrunePlan") -> None:
        if not options.json:
            print_plan(plan)

    if options.dry_run:
        plan = pruning.plan_pruning(store, age)
        tell(plan)
    else:
        plan = pruning.prune(store, age, tell=tell)
    if options.json:
        about = {"schema": "mapmerge/prune/1", "store": store.uri, "older_than_s": age, "dry_run": options.dry_run}
        print(json.dumps({**about, **plan.to_json()}, indent=2, allow_nan=False))
    elif plan.remove:
        print("nothing was removed" if options.dry_run else f"removed {_count(plan)}")
    return 0


def seconds(age: str) -> float:
    """Return how many seconds an age has.

    Raises:
        BadInputError: the text is none.

    >>> seconds("7d"), seconds("90s")
    (604800.0, 90.0)
    """
    found = _AGE.fullmatch(age)
    if found is None:
        raise BadInputError(
            f"--older-than {age!r}: expected a whole number with s, m, h, d or w, such as 7d for seven days"
        )
    return float(int(found[1]) * _SECONDS[found[2]])


def _print_runs(found: Sequence["RunSummary"]) -> None:
    from rich.table import Table
    from rich.text import Text

    from flows.cli.terminal import terminal

    table = Table(box=None)
    for name in ("run", "study", "method", "state", "created", "sealed"):
        table.add_column(name)
    for name in ("evaluations", "paid", "points", "hypervolume"):
        table.add_column(name, justify="right")
    for run in found:
        words = run.run_id, run.study, run.method, run.state, _minute(run.created), _minute(run.sealed)
        numbers = run.evaluations, run.paid, run.front_points
        volume = "" if run.hypervolume is None else f"{run.hypervolume:.3g}"
        table.add_row(
            *(Text(word or "") for word in words), *("" if each is None else str(each) for each in numbers), volume
        )
    out = terminal()
    out.print(table)
    for run in found:
        if run.why is not None:
            out.print(f"{run.run_id}: {run.why}", markup=False, soft_wrap=True)
    print(f"{len(found)} run{'' if len(found) == 1 else 's'}")


def _minute(time: str | None) -> str:
    return "" if time is None else time[:16].replace("T", " ")


def print_plan(plan: "PrunePlan") -> None:
    """Say what will be removed, what stays, and why."""
    for each in plan.remove[:_MOST]:
        print(f"{each.size:>12,} bytes  {each.kind:<11}  {each.key}")
    if len(plan.remove) > _MOST:
        print(f"… and {len(plan.remove) - _MOST:,} more; --json lists all")
    kept = {"complete runs": "that complete runs rest on", "unfinished runs": "that unfinished runs may ask for"}
    kept |= {"unknown runs": "of which it cannot be told who needs them", "young": "that are too young"}
    for need, count in plan.kept.items():
        if count:
            print(f"kept: {count:,} evaluations {kept[need]}")
    for run_id, why in plan.unknown.items():
        print(f"run {run_id}: {why}; every evaluation stays until it is mended or its folder removed", file=sys.stderr)
    print(f"to remove: {_count(plan)}" if plan.remove else "nothing to remove", flush=True)


def _count(plan: "PrunePlan") -> str:
    return f"{len(plan.remove):,} object{'' if len(plan.remove) == 1 else 's'} of {plan.size:,} bytes"
