"""Every command: what it calls and what it prints."""

import argparse
import csv
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flows.cli import stores
from mapmerge.errors import BadInputError
from mapmerge.outputs import run_uri


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
        "index": stores.index,
        "prune": stores.prune,
        "deploy": _deploy,
    }
    return commands[options.command](options)


# Commands that measure


def _zoo(options: argparse.Namespace) -> int:
    from mapmerge.files.objects import is_remote
    from mapmerge.zoo.build import build_vision

    if is_remote(options.out):  # its study names files beside it
        raise BadInputError(f"--out {options.out}: expected a folder of this machine; copy it to S3 when it is built")

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
    from flows import drive

    overrides = [*options.overrides, *_ray_override(options)]
    if options.prefer_grid is not None:
        from mapmerge.config import read_study

        overrides.append(f"nested.preferences={options.prefer_grid}")
        if (method := read_study(Path(options.study), overrides).method) != "nested":
            raise BadInputError(f"--prefer-grid is of method nested, and the study has method {method}")
    earlier = None if options.extend is None else run_uri(options.extend)
    uri = drive.run(options.study, output=options.output, run_id=options.run_id, overrides=overrides, extend=earlier)
    return _show_result(uri, as_json=options.json)


def _resume(options: argparse.Namespace) -> int:
    from flows import drive
    from mapmerge.ledger.runs import find_run

    named = run_uri(options.run)
    if find_run(named).is_complete():
        print(f"{named}: is complete, there is nothing left to do", file=sys.stderr)
        return _show_result(named, as_json=options.json)
    uri = drive.resume(named, overrides=[*options.overrides, *_ray_override(options)])
    return _show_result(uri, as_json=options.json)


def _ray_override(options: argparse.Namespace) -> list[str]:
    return ["compute.executor=ray", f"compute.address={options.ray}"] if options.ray else []


def _deploy(options: argparse.Namespace) -> int:
    from flows.drive import quiet_orchestrators

    quiet_orchestrators()
    from flows.cli.deploy import deploy

    return deploy(options)


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
    print(export(run, point, options.out))
    return 0


def _report(options: argparse.Namespace) -> int:
    from mapmerge.finished import FinishedRun
    from mapmerge.report.items import look_up
    from mapmerge.report.page import render
    from mapmerge.report.place import require_place, write_page

    require_place(options.out)  # before the run is read
    run = FinishedRun.open(run_uri(options.run))
    print(write_page(options.out, render(run.result, look_up(run.folder, run.result))))
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
    folder.require_whole(EvaluationLedger(folder.store))
    print(f"{uri}: every file and every evaluation is what the manifest says")
    return 0


def _required_preference(options: argparse.Namespace) -> Any:
    from mapmerge.preference import Preference

    return Preference.parse(weights=options.prefer, at_least=options.at_least, knee=options.knee)


def _print_json(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))
