"""Commands and their arguments. Imports nothing heavy, so that `--help` is instant."""

import argparse

from mapmerge.outputs import default_output

_STORE = "what a run's --output was: a folder or s3://bucket/folder"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `command` in its result names the module under `flows.cli`."""
    parser = argparse.ArgumentParser(
        prog="mapmerge",
        description="The whole Pareto front of merged models, from a few measurements.",
        epilog="Exit codes: 0 done, 1 the run failed, 2 the input cannot be used. "
        f"RUN is the URI of a run, or its id under the default output ({default_output()}; MAPMERGE_OUTPUT moves it).",
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    zoo = commands.add_parser("zoo", help="build a family of real models to try things on")
    zoo_commands = zoo.add_subparsers(dest="zoo_command", metavar="COMMAND", required=True)
    build = zoo_commands.add_parser("build", help="train a base and its experts on real data, write a ready study.yaml")
    build.add_argument("family", choices=["vision"], help="which family")
    build.add_argument("--experts", type=int, default=4, metavar="K", help="how many experts, 2 to 32 (default 4)")
    build.add_argument("--seed", type=int, default=0, help="seed of the training (default 0)")
    build.add_argument("--out", required=True, metavar="DIR", help="folder to write, new or empty")

    plan = commands.add_parser("plan", help="check a study and say what it will cost; measures no candidate")
    _study(plan)
    plan.add_argument("--json", action="store_true", help="print one JSON object")

    run = commands.add_parser("run", help="find the Pareto front of a study")
    _study(run)
    run.add_argument(
        "--output",
        default=default_output(),
        metavar="URI",
        help="holds the shared ledger and the runs (default %(default)s)",
    )
    run.add_argument("--run-id", metavar="ID", help="name of the run (default: study, date and time)")
    run.add_argument(
        "--extend",
        metavar="RUN",
        help="a complete run whose measurements count here too, such as one of a family with fewer experts",
    )
    run.add_argument(
        "--prefer-grid",
        type=int,
        metavar="N",
        help="of method nested: find merges for N evenly spread preferences, as --set nested.preferences=N",
    )
    _ray(run)
    run.add_argument(
        "--json", action="store_true", help="print the result as one JSON object, and nothing else, on stdout"
    )

    resume = commands.add_parser("resume", help="go on with an interrupted run; what was measured stays measured")
    _run(resume)
    _overrides(resume, "override a value under `compute`, such as compute.actors=2; may be given again")
    _ray(resume)
    resume.add_argument("--json", action="store_true", help="print the result as one JSON object")

    front = commands.add_parser("front", help="print the front of a run: coefficients, scores, intervals, baselines")
    _run(front)
    form = front.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the whole result as one JSON object")
    form.add_argument("--csv", action="store_true", help="print the points as CSV")

    pick = commands.add_parser("pick", help="answer a preference from the surrogates, without any new measurement")
    _run(pick)
    _preference(pick)
    pick.add_argument("--json", action="store_true", help="print one JSON object")

    export = commands.add_parser("export", help="write one merged checkpoint with its model card")
    _run(export)
    export.add_argument("--point", metavar="ID", help="a point of the front, such as p03")
    _preference(export)
    export.add_argument(
        "--out", required=True, metavar="DIR", help="folder to write, new or empty; also s3://bucket/folder"
    )

    report = commands.add_parser("report", help="write the report of a run as one offline HTML page")
    _run(report)
    report.add_argument("--out", required=True, metavar="FILE.html", help="file to write; also s3://bucket/file.html")

    compare = commands.add_parser("compare", help="runs side by side: hypervolume, GD, IGD, win rate, cost")
    compare.add_argument("runs", nargs="+", metavar="RUN", help="two or more runs of the same objectives")
    compare.add_argument("--json", action="store_true", help="print one JSON object")

    verify = commands.add_parser("verify", help="hash a run again and compare with its manifest")
    _run(verify)

    runs = commands.add_parser("runs", help="list the runs of a store: where each stands, what it cost, what came out")
    runs.add_argument("store", metavar="STORE", help=_STORE)
    runs.add_argument("--json", action="store_true", help="print one JSON object")

    index = commands.add_parser("index", help="write one offline HTML page about all runs of a store")
    index.add_argument("store", metavar="STORE", help=_STORE)
    index.add_argument(
        "--out", metavar="FILE.html", help="file to write; also s3://bucket/file.html (default: STORE/index.html)"
    )
    index.add_argument(
        "--newest",
        type=int,
        default=100,
        metavar="N",
        help="of so many complete runs, the newest, show the front and let it be compared (default %(default)s)",
    )

    prune = commands.add_parser(
        "prune",
        help="remove measurements that no run of a store needs any more",
        description="Remove measurements that no run of a store needs any more, quarantined records, claims of runs "
        "that were killed, and leases of complete runs that others have followed. Runs are never removed: remove the "
        "folder of one that you do not want, and prune then removes what only it needed.",
    )
    prune.add_argument("store", metavar="STORE", help=_STORE)
    prune.add_argument(
        "--older-than",
        required=True,
        metavar="AGE",
        help="only what was written at least so long ago: a whole number with s, m, h, d or w, such as 7d",
    )
    prune.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    prune.add_argument("--json", action="store_true", help="print one JSON object")

    deploy = commands.add_parser(
        "deploy",
        help="register work pool, queues, deployments and automations with a Prefect server",
        description="Register work pool, queues, deployments and automations with the Prefect server that "
        "PREFECT_API_URL names. What is there already and differs is changed, also where somebody changed it on the "
        "server's page; nothing is removed. A second call changes nothing.",
    )
    deploy.add_argument("--pool", metavar="NAME", help="work pool of all deployments (default: the file's, mapmerge)")
    deploy.add_argument(
        "--type",
        choices=["process", "docker", "kubernetes"],
        default="process",
        help="what its workers start flow runs as (default %(default)s)",
    )
    deploy.add_argument("--image", metavar="IMAGE", help="what containers are made from (default: MAPMERGE_IMAGE)")
    deploy.add_argument(
        "--python",
        metavar="PATH",
        help="Python of the workers: flow runs of type process begin in it, seconds sooner (default: MAPMERGE_PYTHON)",
    )
    deploy.add_argument(
        "--production", action="store_true", help="put schedules in force, as MAPMERGE_PRODUCTION=true does"
    )
    deploy.add_argument(
        "--notify",
        metavar="TYPE/NAME",
        help="notification block of the server that is told of failed runs (default: MAPMERGE_NOTIFY)",
    )
    deploy.add_argument("--file", metavar="FILE", help="another prefect.yaml than the one that comes with mapmerge")
    deploy.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    return parser


def _study(command: argparse.ArgumentParser) -> None:
    command.add_argument("study", metavar="STUDY", help="the study file (YAML)")
    _overrides(command, "override a value of the study, such as budget.evaluations=60; may be given again")


def _overrides(command: argparse.ArgumentParser, words: str) -> None:
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help=words)


def _run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="URI of a run, or its id under the default output")


def _ray(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="`local` starts Ray for this run, `auto` joins the cluster of this machine, HOST:PORT another one",
    )


def _preference(command: argparse.ArgumentParser) -> None:
    group = command.add_mutually_exclusive_group()
    group.add_argument("--prefer", metavar="NAME=WEIGHT,…", help="weights of objectives, such as mnist=2,animals=1")
    group.add_argument(
        "--at-least", metavar="NAME=SCORE,…", help="scores that must be reached (at most, where smaller is better)"
    )
    group.add_argument(
        "--knee", action="store_true", help="the point where giving up more of one gains least of others"
    )
