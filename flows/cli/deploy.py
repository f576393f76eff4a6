"""The command that registers all deployments with a Prefect server."""

import argparse
import os
from pathlib import Path

from mapmerge.errors import BadInputError, ConfigError


def deploy(options: argparse.Namespace) -> int:
    """Make a Prefect server as `deployments/prefect.yaml` says, and say what was done."""
    from flows.deploying.api import online, open_api
    from flows.deploying.declared import FILE, Options, things
    from flows.deploying.reconcile import reconcile
    from flows.deploying.written import read_written

    environment = {**os.environ, **({"MAPMERGE_NOTIFY": options.notify} if options.notify else {})}
    _require_absolute(environment)
    written = read_written(Path(options.file) if options.file else FILE, environment)
    asked = Options(
        options.pool or written.work_pool.name,
        options.type,
        options.image or environment.get("MAPMERGE_IMAGE") or None,
        options.python or environment.get("MAPMERGE_PYTHON") or None,
        options.production or _is_true("MAPMERGE_PRODUCTION", environment.get("MAPMERGE_PRODUCTION", "")),
    )
    with open_api() as api:
        wanted, notes = things(written, asked, api)
        outcomes = []
        for outcome in reconcile(wanted, api, dry_run=options.dry_run):
            outcomes.append(outcome)
            why = f" ({', '.join(outcome.differs)})" if outcome.differs else ""
            print(f"{outcome.state:<9}  {outcome.label}{why}", flush=True)
        if not (options.dry_run or online(asked.pool, api)):
            start = f"prefect worker start --pool {asked.pool}"
            notes.append(f"no worker takes up runs of work pool {asked.pool}; one that does: {start}")
    for note in notes:
        print(f"note: {note}")
    done = [outcome for outcome in outcomes if outcome.state != "unchanged"]
    if not done:
        print("nothing to change" if options.dry_run else "nothing changed")
    elif options.dry_run:
        print("dry run: nothing was changed")
    return 0


def _require_absolute(environment: dict[str, str]) -> None:
    """Raise where a default of a deployment is a relative path: a worker has another current folder."""
    for name in ("MAPMERGE_OUTPUT", "MAPMERGE_STUDY", "MAPMERGE_EXPERTS"):
        value = environment.get(name, "")
        if value and "://" not in value and not Path(value).is_absolute():
            raise BadInputError(f"{name}={value}: expected an absolute path or s3://bucket/folder, for workers to find")


def _is_true(name: str, value: str) -> bool:
    """Tell what a variable says.

    >>> _is_true("X", "1"), _is_true("X", "")
    (True, False)
    """
    if value.lower() in ("1", "true", "yes"):
        return True
    if value.lower() in ("", "0", "false", "no"):
        return False
    raise ConfigError(f"{name}={value}: expected true or false")
