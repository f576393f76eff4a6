"""From what is written to what should be on the server: schemas of flows, schedules in force, the version."""

import json
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from prefect.exceptions import MissingFlowError
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from flows.deploying.api import PrefectApi
from flows.deploying.wanted import (
    AutomationThing,
    DeploymentThing,
    QueueThing,
    Thing,
    Values,
    WorkPoolThing,
    automation_values,
)
from flows.deploying.written import Deployment, Schedule, WorkPool, Written, WrittenAutomation
from mapmerge.errors import BadInputError, ConfigError

ROOT = Path(__file__).parents[2]
"""What `flows` lies in: the repository, or where the package is installed."""

FILE = ROOT / "deployments" / "prefect.yaml"
PoolType = Literal["process", "docker", "kubernetes"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Args:
        pool: name of the work pool.
        kind: its type.
        image: what runs in containers; required of all types but `process`.
        python: path of the Python of the workers, in which flow runs of type `process` begin at once; without it
            Prefect first starts a process that looks for code to fetch, of which there is none.
        production: whether schedules are in force.
    """

    pool: str
    kind: PoolType
    image: str | None
    python: str | None
    production: bool


def things(written: Written, options: Options, api: PrefectApi) -> tuple[list[Thing], list[str]]:
    """Return what should be on the server, each thing after those that it needs, and what was left out and why.

    Raises:
        BadInputError: an option is missing, a flow has no such parameter, or the server no such notification block.
    """
    pool = options.pool
    wanted: list[Thing] = [work_pool(written.work_pool, options)]
    wanted += [QueueThing(pool, queue.name, queue.model_dump(exclude={"name"})) for queue in written.work_pool.queues]
    notes = []
    release = release_of(ROOT)
    for each in written.deployments:
        thing, left_out = deployment(each, options, release)
        wanted.append(thing)
        notes += left_out
    for automation in written.automations:
        if any("block" not in action for action in automation.actions if action["type"] == "send-notification"):
            notes.append(f"automation {automation.name}: left out, for nobody is to be told; name one by --notify")
        else:
            wanted.append(_automation(automation, api))
    return wanted, notes


def release_of(root: Path) -> str:
    """Return the version of what is deployed: as git describes it, or that of the package where there is no git."""
    if (root / ".git").exists():  # and not the repository of somebody else around an installed package
        said = subprocess.run(
            ["git", "-C", root, "describe", "--tags", "--always", "--dirty"], capture_output=True, text=True
        )
        if said.returncode == 0 and said.stdout.strip():
            return said.stdout.strip()
    return version("mapmerge")


def deployment(written: Deployment, options: Options, release: str) -> tuple[DeploymentThing, list[str]]:
    """Return a deployment as it should be, and which of its schedules are not in force although they were asked for.

    Raises:
        ConfigError: there is no such flow, or it has no such parameter.
    """
    try:
        flow: Any = load_flow_from_entrypoint(written.entrypoint)
    except (ImportError, MissingFlowError, ValueError) as error:
        raise ConfigError(f"deployment {written.name!r}: {written.entrypoint}: {error}") from None
    schema = parameter_schema(flow).model_dump_for_openapi()
    for given in (written.parameters, *(schedule.parameters for schedule in written.schedules)):
        for name in given.keys() - schema["properties"].keys():
            raise ConfigError(f"deployment {written.name!r}: flow {flow.name} has no parameter {name!r}")
    schedules, notes = [], []
    for schedule in sorted(written.schedules, key=lambda each: each.slug):
        missing = _missing(schema.get("required", ()), written.parameters, schedule)
        if missing and options.production:
            notes.append(
                f"deployment {flow.name}/{written.name}: its schedule {schedule.slug!r} is not in force, "
                f"for there is no {' and no '.join(missing)} to run it with"
            )
        schedules.append(
            {
                "slug": schedule.slug,
                "active": options.production and not missing,
                "parameters": schedule.parameters,
                "schedule": {"cron": schedule.cron, "timezone": schedule.timezone},
            }
        )
    limit = written.concurrency_limit
    values = {
        "version": release,
        "description": written.description,
        "tags": written.tags,
        "entrypoint": written.entrypoint,
        "path": None,
        "pull_steps": [],
        "parameters": written.parameters,
        "parameter_openapi_schema": schema,
        "enforce_parameter_schema": True,
        "work_pool_name": options.pool,
        "work_queue_name": written.work_queue,
        "job_variables": {},
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": limit and {"collision_strategy": limit.collision_strategy},
        "schedules": schedules,
    }
    return DeploymentThing(flow.name, written.name, values), notes


def _missing(required: Sequence[str], parameters: Mapping[str, Any], schedule: Schedule) -> list[str]:
    return [name for name in required if name not in parameters and name not in schedule.parameters]


def work_pool(written: WorkPool, options: Options) -> WorkPoolThing:
    """Return a work pool as it should be.

    Raises:
        BadInputError: no image where one is needed.
    """
    template = json.loads((FILE.parent / "work-pools" / f"{options.kind}.json").read_text(encoding="utf-8"))
    if "image" in template["variables"]["properties"]:
        if options.image is None:
            raise BadInputError(
                f"--type {options.kind}: say by --image or MAPMERGE_IMAGE in which image flow runs begin"
            )
        template["variables"]["properties"]["image"]["default"] = options.image
    if options.python is not None and options.kind == "process":
        template["variables"]["properties"]["command"]["default"] = shlex.join([options.python, "-m", "prefect.engine"])
    values = {**written.model_dump(include={"description", "concurrency_limit"}), "base_job_template": template}
    return WorkPoolThing(options.pool, options.kind, values)


def _automation(written: WrittenAutomation, api: PrefectApi) -> AutomationThing:
    actions = [_with_block(action, api) for action in written.actions]
    values: Values = automation_values({**written.model_dump(exclude={"actions"}), "actions": actions})
    return AutomationThing(written.name, values)


def _with_block(action: Mapping[str, Any], api: PrefectApi) -> dict[str, Any]:
    """Return an action with the id of its block in the place of the block's name."""
    if "block" not in action:
        return dict(action)
    kind, _, name = str(action["block"]).partition("/")
    found = api.get(f"/block_types/slug/{kind}/block_documents/name/{name}") if kind and name else None
    if found is None:
        raise BadInputError(
            f"--notify {action['block']}: the server has no such block; make one on its page under Blocks and give "
            "TYPE/NAME, such as slack-webhook/mapmerge"
        )
    return {**{key: value for key, value in action.items() if key != "block"}, "block_document_id": found["id"]}
