"""What many sub-flows at a time do to the Prefect server's database: SQLite against PostgreSQL.

    python -m benchmarks.prefect_databases --runs 3 --out FILE.json

A family of 16 experts that cost next to nothing (that of `benchmarks.scale`) is merged along a balanced tree of pairs,
so that 8 nodes are searched at once, each in a sub-flow of its own, by a process that reports to a server. Servers on
either database run all the time, side by side, and are used in turn. Counted are the sub-flows that ran at once, by the
times that the server gives them; the requests, those that the server refused (5xx), locked databases in its log, and
the requests that the client sent again. The first run of each database is not counted.
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import write
from benchmarks.scale import write_family
from infra.services.postgres import Postgres
from infra.services.prefect_server import PrefectServer
from mapmerge.ledger.runs import open_run
from mapmerge.methods.nested import SETTLED
from tasks.tree import UNMERGED

_SAYS_ALL = {"PREFECT_SERVER_LOGGING_LEVEL": "INFO", "PREFECT_SERVER_LOG_RETRYABLE_ERRORS": "true"}
"""Requests, and the locks that Prefect otherwise keeps to itself since clients try again."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--experts", type=int, default=16)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mapmerge-databases-")))
        folder.chmod(0o711)  # PostgreSQL runs as somebody else when this is root
        study = write_family(folder / "family", options.experts)
        database = stack.enter_context(Postgres(folder / "postgres"))
        servers = {
            "PostgreSQL": PrefectServer(folder / "on-postgres", database.url),
            "SQLite": PrefectServer(folder / "on-sqlite"),
        }
        for server in servers.values():
            server.extra = _SAYS_ALL
            stack.enter_context(server)
        for run in range(options.runs + 1):
            for name, server in servers.items():
                output = folder / f"{name.lower()}-{run}"
                results.append({"database": name, "run": run, **_measure(study, output, server)})
                print(results[-1], flush=True)
    counted = [one for one in results if one["run"] > 0]
    summary = [_summary(name, [one for one in counted if one["database"] == name]) for name in servers]
    write(options.out, "prefect_databases", results, experts=options.experts, runs=options.runs, summary=summary)


def _measure(study: Path, output: Path, server: PrefectServer) -> dict[str, Any]:
    """Run the study once and return what it took and what went wrong."""
    said_before = server.log.stat().st_size
    own = {"PREFECT_HOME": str(output / "home"), "PREFECT_LOGGING_LEVEL": "DEBUG", **server.environment()}
    own |= {"MAPMERGE_CACHE": str(output / "cache"), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "flows.cli", "run", str(study), "--output", str(output), "--run-id", output.name]
    command += ["--set", "nested.tree=balanced"]
    began = time.monotonic()
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    took = time.monotonic() - began
    with server.log.open("rb") as log:
        log.seek(said_before)
        server_said = log.read().decode("utf-8", errors="replace")
    said = done.stdout + done.stderr
    answers = [int(code) for code in re.findall(r'HTTP/1\.1" (\d{3})', server_said)]
    if done.returncode:  # a run that the database spoilt counts; what it said tells whether that was it
        print(said[-2000:], flush=True)
    return {
        "exit_code": done.returncode,
        "wall_s": took,
        "tree_s": _tree_s(output) if done.returncode == 0 else None,
        "sub_flows_at_once": _most_at_once(server, output.name),
        "requests": len(answers),
        "refused": sum(code >= 500 for code in answers),
        "locked_server": server_said.count("OperationalError) database is locked"),
        "locked_client": said.count("database is locked"),
        "sent_again": said.count("Another attempt will be made"),
    }


def _tree_s(output: Path) -> float:
    """Return the seconds from the unmerged models to the merge of the root."""
    events = open_run(str(output / "runs" / output.name)).events()
    ended = {event["payload"].get("name"): datetime.fromisoformat(event["time"]) for event in events}
    return (ended[SETTLED] - ended[UNMERGED]).total_seconds()


def _most_at_once(server: PrefectServer, run: str) -> int:
    """Return the most sub-flows of a run that the server saw running at the same time."""
    asked = {"sort": "START_TIME_ASC", "limit": 200}
    parents = server.ask("flow_runs/filter", {**asked, "flow_runs": {"name": {"any_": [run]}}})
    inside = {"parent_flow_run_id": {"any_": [parent["id"] for parent in parents]}}
    spans = [
        (each["start_time"], each["end_time"])
        for each in server.ask("flow_runs/filter", {**asked, "flow_runs": inside})
        if each["start_time"] and each["end_time"]
    ]
    return max((sum(begin <= at < end for begin, end in spans) for at, _ in spans), default=0)


def _summary(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    def total(key: str) -> int:
        return sum(run[key] for run in runs)

    return {
        "database": name,
        "runs": len(runs),
        "failed": sum(run["exit_code"] != 0 for run in runs),
        "sub_flows_at_once": max(run["sub_flows_at_once"] for run in runs),
        **{key: total(key) for key in ("requests", "refused", "locked_server", "locked_client", "sent_again")},
        "wall_s": _median(run["wall_s"] for run in runs),
        "tree_s": _median(run["tree_s"] for run in runs if run["tree_s"] is not None),
    }


def _median(values: Iterable[float]) -> float | None:
    return statistics.median(found) if (found := list(values)) else None


if __name__ == "__main__":
    main()
