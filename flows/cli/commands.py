"""Every command: what it calls and what it prints."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flows.cli import stores
from flows.cli.parser import DEFAULT_OUTPUT
from mapmerge.errors import BadInputError, FailedRunError, IntegrityError


def execute(options: argparse.Namespace) -> int:
    """Run one command and return its exit code."""
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "zoo": _zoo,
        "plan": _plan,
        "run": _run,
        "resume": _resume,
        "front": _front,
        "pick": _pick,
        "export": _export,
        "report": _report,
        "compare": _compare,
        "verify": _verify,
        "runs": stores.runs,
        "prune": stores.prune,
    }
    return commands[options.command](options)


def run_uri(name: str) -> str:
    """Return the URI of a run that is given by its URI, its folder, or its id under the default output.

    >>> run_uri("s3://bucket/runs/a")
    's3://bucket/runs/a'
    """
    if "://" in name or "/" in name or Path(name).is_dir():
        return name
    return f"{DEFAULT_OUTPUT}/runs/{name}"


# Commands that measure


def _zoo(options: argparse.Namespace) -> int:
    from mapmerge.zoo.build import build_vision

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    folder = build_vision(Path(options.out), experts=options.experts, seed=options.seed, progress=say)
    print(f"{folder}: a base, {options.experts} experts and their item sets; next: mapmerge plan {folder}/study.yaml")
    return 0


def _plan(options: argparse.Namespace) -> int:
    from flows.cli.show import print_plan
    from tasks.plan import plan

    planned = plan(options.study, options.overrides)
    _print_json(planned) if options.json else print_plan(planned)
    return 0


def _run(options: argparse.Namespace) -> int:
    from mapmerge.config import read_study

    overrides = [*options.overrides, *_ray_override(options)]
    if options.prefer_grid is not None:
        overrides.append(f"nested.preferences={options.prefer_grid}")
    study = read_study(Path(options.study), overrides)  # an error in the file should not wait for the orchestrator
    if options.prefer_grid is not None and study.method != "nested":
        raise BadInputError(f"--prefer-grid is of method nested, and the study has method {study.method}")
    _quiet_orchestrators()
    from flows.pareto import find_front
    from tasks.prepare import new_run_id

    earlier = None if options.extend is None else run_uri(options.extend)
    run_id = options.run_id or new_run_id(options.study)
    print(f"run {run_id}", file=sys.stderr, flush=True)
    uri = _drive(lambda: find_front(options.study, options.output, run_id, overrides, earlier))
    return _show_result(uri, as_json=options.json)


def _resume(options: argparse.Namespace) -> int:
    from mapmerge.ledger.runs import find_run

    named = run_uri(options.run)
    if find_run(named).is_complete():
        print(f"{named}: is complete, there is nothing left to do", file=sys.stderr)
        return _show_result(named, as_json=options.json)
    _quiet_orchestrators()
    from flows.pareto import resume_front

    uri = _drive(lambda: resume_front(named, [*options.overrides, *_ray_override(options)]))
    return _show_result(uri, as_json=options.json)


def _drive(flow: Callable[[], str]) -> str:
    """Run a flow with its progress shown; return the URI of the run."""
    from flows.cli.live import live_progress

    try:
        with live_progress():
            return flow()
    except RuntimeError as error:
        if "Failed to reach API" not in str(error):
            raise
        raise FailedRunError(
            f"{error}: is the Prefect server running? Without PREFECT_API_URL a run needs no server"
        ) from None


def _ray_override(options: argparse.Namespace) -> list[str]:
    return ["compute.executor=ray", f"compute.address={options.ray}"] if options.ray else []


def _quiet_orchestrators() -> None:
    """Leave the terminal to the progress of the run, and send nothing to anybody.

    Prefect and Ray read these when they are imported; what the user has set stays. Errors are told once, by `main`, and
    not by Prefect too; whoever asks for its logs gets them.
    """
    import os

    if "PREFECT_LOGGING_LEVEL" not in os.environ:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


# Commands that read a finished run


def _show_result(uri: str, *, as_json: bool) -> int:
    from flows.cli.show import print_result
    from mapmerge.finished import FinishedRun

    run = FinishedRun.open(uri)
    _print_json(run.result) if as_json else print_result(run.result)
    return 0


def _front(options: argparse.Namespace) -> int:
    from mapmerge.finished import FinishedRun

    if options.csv:
        writer = csv.writer(sys.stdout)
        writer.writerows(FinishedRun.open(run_uri(options.run)).rows())
        return 0
    return _show_result(run_uri(options.run), as_json=options.json)


def _pick(options: argparse.Namespace) -> int:
    from flows.cli.show import print_pick
    from mapmerge.finished import FinishedRun

    picked = FinishedRun.open(run_uri(options.run)).pick(_required_preference(options))
    _print_json(picked) if options.json else print_pick(picked)
    return 0


def _export(options: argparse.Namespace) -> int:
    from mapmerge.export import export
    from mapmerge.finished import FinishedRun

    run = FinishedRun.open(run_uri(options.run))
    if options.point:
        if options.prefer or options.at_least or options.knee:
            raise BadInputError("give either --point or a preference, not both")
        point: Mapping[str, Any] = run.point(options.point)
    else:
        point = run.pick(_required_preference(options))
    print(export(run, point, Path(options.out)))
    return 0


def _report(options: argparse.Namespace) -> int:
    from mapmerge.finished import FinishedRun
    from mapmerge.report.page import render

    out = Path(options.out)
    if out.is_dir() or not out.parent.is_dir():
        raise BadInputError(f"--out {out}: expected a file name in a folder that exists")
    out.write_text(render(FinishedRun.open(run_uri(options.run)).result), encoding="utf-8")
    print(out)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from flows.cli.show import print_comparison
    from mapmerge.comparison import compare
    from mapmerge.finished import FinishedRun

    compared = compare([FinishedRun.open(run_uri(name)) for name in options.runs])
    _print_json(compared) if options.json else print_comparison(compared)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from mapmerge.ledger.evaluations import EvaluationLedger
    from mapmerge.ledger.runs import open_run

    uri = run_uri(options.run)
    folder = open_run(uri)
    problems = folder.verify(EvaluationLedger(folder.store))
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise IntegrityError("\n".join([f"{uri}: {count}", *(f"  {problem}" for problem in problems)]))
    print(f"{uri}: every file and every evaluation is what the manifest says")
    return 0


def _required_preference(options: argparse.Namespace) -> Any:
    from mapmerge.preference import Preference

    return Preference.parse(weights=options.prefer, at_least=options.at_least, knee=options.knee)


def _print_json(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))
