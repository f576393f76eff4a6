"""What should be on a Prefect server, thing by thing: how each is found there, and how it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from prefect.events.schemas.automations import AutomationCore

from flows.deploying.api import PrefectApi
from mapmerge.errors import BadInputError

Values = Mapping[str, Any]


class Thing(Protocol):
    """One thing that should be on the server as `values` say."""

    @property
    def label(self) -> str:
        """What it is and what it is called."""
        ...

    @property
    def values(self) -> Values:
        """What should be there."""
        ...

    def find(self, api: PrefectApi) -> Values | None:
        """Return what is there, under the same keys as `values`; None where it is not."""
        ...

    def create(self, api: PrefectApi) -> None:
        """Write it for the first time."""
        ...

    def change(self, api: PrefectApi) -> None:
        """Make what is there as it should be."""
        ...


@dataclass(frozen=True, slots=True)
class WorkPoolThing:
    """A work pool; of another type it cannot be made."""

    name: str
    kind: str
    values: Values

    @property
    def label(self) -> str:
        """What it is and what it is called."""
        return f"work pool {self.name}"

    def find(self, api: PrefectApi) -> Values | None:
        """Return what is there; see `Thing.find`.

        Raises:
            BadInputError: it is there, and of another type.
        """
        found = api.get(f"/work_pools/{self.name}")
        if found is None:
            return None
        if found["type"] != self.kind:
            raise BadInputError(
                f"work pool {self.name!r} is there, of type {found['type']}, which cannot be changed: "
                f"give --type {found['type']}, or another --pool"
            )
        return {key: found[key] for key in self.values}

    def create(self, api: PrefectApi) -> None:
        """Write it for the first time."""
        api.send("POST", "/work_pools/", {"name": self.name, "type": self.kind, **self.values})

    def change(self, api: PrefectApi) -> None:
        """Make what is there as it should be."""
        api.send("PATCH", f"/work_pools/{self.name}", dict(self.values))


@dataclass(frozen=True, slots=True)
class QueueThing:
    """A queue of a work pool."""

    pool: str
    name: str
    values: Values

    @property
    def label(self) -> str:
        """What it is and what it is called."""
        return f"work queue {self.pool}/{self.name}"

    def find(self, api: PrefectApi) -> Values | None:
        """Return what is there; see `Thing.find`."""
        found = api.get(f"/work_pools/{self.pool}/queues/{self.name}")
        return None if found is None else {key: found[key] for key in self.values}

    def create(self, api: PrefectApi) -> None:
        """Write it for the first time."""
        api.send("POST", f"/work_pools/{self.pool}/queues", {"name": self.name, **self.values})

    def change(self, api: PrefectApi) -> None:
        """Make what is there as it should be."""
        api.send("PATCH", f"/work_pools/{self.pool}/queues/{self.name}", dict(self.values))


@dataclass(frozen=True, slots=True)
class DeploymentThing:
    """A deployment of a flow."""

    flow: str
    name: str
    values: Values

    @property
    def label(self) -> str:
        """What it is and what it is called."""
        return f"deployment {self.flow}/{self.name}"

    def find(self, api: PrefectApi) -> Values | None:
        """Return what is there; see `Thing.find`."""
        found = api.get(f"/deployments/name/{self.flow}/{self.name}")
        if found is None:
            return None
        limit, options = found["global_concurrency_limit"], found["concurrency_options"]
        schedules = [
            {
                **{key: each[key] for key in ("slug", "active", "parameters")},
                "schedule": {key: each["schedule"].get(key) for key in ("cron", "timezone")},
            }
            for each in found["schedules"]
        ]
        found = {
            **found,
            "concurrency_limit": limit and limit["limit"],
            "concurrency_options": options and {"collision_strategy": options["collision_strategy"]},
            "schedules": sorted(schedules, key=lambda each: str(each["slug"])),
        }
        return {key: found[key] for key in self.values}

    def create(self, api: PrefectApi) -> None:
        """Write it for the first time."""
        flow = api.send("POST", "/flows/", {"name": self.flow})
        api.send("POST", "/deployments/", {"name": self.name, "flow_id": flow["id"], **self.values})

    def change(self, api: PrefectApi) -> None:
        """Make what is there as it should be; it keeps its id."""
        self.create(api)


@dataclass(frozen=True, slots=True)
class AutomationThing:
    """An automation."""

    name: str
    values: Values

    @property
    def label(self) -> str:
        """What it is and what it is called."""
        return f"automation {self.name}"

    def find(self, api: PrefectApi) -> Values | None:
        """Return what is there; see `Thing.find`."""
        found = self._found(api)
        return None if found is None else automation_values({key: found[key] for key in ("name", *self.values)})

    def create(self, api: PrefectApi) -> None:
        """Write it for the first time."""
        api.send("POST", "/automations/", self._json())

    def change(self, api: PrefectApi) -> None:
        """Make what is there as it should be."""
        api.send("PUT", f"/automations/{self._found(api)['id']}", self._json())

    def _found(self, api: PrefectApi) -> Any:
        named = api.send("POST", "/automations/filter", {"automations": {"name": {"any_": [self.name]}}})
        return named[0] if named else None

    def _json(self) -> Any:
        return AutomationCore.model_validate({"name": self.name, **self.values}).model_dump(mode="json")


def automation_values(written: Values) -> Values:
    """Return an automation with all its defaults, and without the ids that a server gives: two compare by what they do.

    Args:
        written: with its `name`.

    Raises:
        ValueError: it is none.
    """
    keys = {"description", "enabled", "trigger", "actions"}
    return AutomationCore.model_validate(written).model_dump(include=keys, exclude={"trigger": {"id"}})
