"""What `deployments/prefect.yaml` may say, read strictly."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from mapmerge.config.text import parse
from mapmerge.errors import ConfigError, MissingFileError

_VARIABLE = re.compile(r"\{\{ *\$([A-Z][A-Z0-9_]*) *\}\}")


class _Part(BaseModel, extra="forbid", frozen=True):
    """A part of the file: no key that is not known."""


class Queue(_Part):
    """A queue of the work pool; of the runs that wait, those of the lowest priority number begin first."""

    name: str
    priority: int = Field(ge=1)
    concurrency_limit: int | None = Field(default=None, ge=1)
    description: str = ""


class WorkPool(_Part):
    """The work pool of all deployments."""

    name: str
    description: str
    concurrency_limit: int | None = Field(default=None, ge=1)
    queues: list[Queue]


class Limit(_Part):
    """How many runs of a deployment go on at a time, and what becomes of one more."""

    limit: int = Field(ge=1)
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]


class Schedule(_Part):
    """When a deployment is run, and with which parameters."""

    slug: str
    cron: str
    timezone: str = "UTC"
    parameters: dict[str, Any] = {}


class Deployment(_Part):
    """A flow and how it is run."""

    name: str
    entrypoint: str
    description: str
    tags: list[str]
    parameters: dict[str, Any] = {}
    work_queue: str = "default"
    concurrency_limit: Limit | None = None
    schedules: list[Schedule] = []


class WrittenAutomation(_Part):
    """What happens by itself: as Prefect has it, except that an action may name its notification block by `block`."""

    name: str
    description: str
    trigger: dict[str, Any]
    actions: list[dict[str, Any]]


class Written(_Part):
    """The whole file."""

    name: str
    pull: list[dict[str, Any]]
    work_pool: WorkPool
    deployments: list[Deployment]
    automations: list[WrittenAutomation]


def read_written(path: Path, environment: Mapping[str, str]) -> Written:
    """Read the file, with the variables that it names.

    Args:
        path: of the file.
        environment: the variables by name; empty ones are none.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: it is not such a file; says where.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; name the prefect.yaml of mapmerge by --file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    values, _ = parse(text, source=str(path))
    try:
        written = Written.model_validate(fill(values, environment))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    queues = {queue.name for queue in written.work_pool.queues}
    for deployment in written.deployments:
        if deployment.work_queue not in queues:
            raise ConfigError(f"{path}: deployment {deployment.name!r}: there is no queue {deployment.work_queue!r}")
    return written


def fill(value: Any, environment: Mapping[str, str]) -> Any:
    """Return a value with the variables that it names in their places; keys of those that are not set are left out.

    >>> fill({"a": "{{ $A }}", "b": ["{{ $B }}", "{{ flow.name }}"]}, {"A": "1"})
    {'a': '1', 'b': ['{{ flow.name }}']}
    """
    if isinstance(value, dict):
        return {key: fill(each, environment) for key, each in value.items() if not _is_unset(each, environment)}
    if isinstance(value, list):
        return [fill(each, environment) for each in value if not _is_unset(each, environment)]
    named = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return environment[named[1]] if named else value


def _is_unset(value: Any, environment: Mapping[str, str]) -> bool:
    named = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return named is not None and not environment.get(named[1])
