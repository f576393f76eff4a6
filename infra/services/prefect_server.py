"""The Prefect server, on a database of its own or on one that it is given."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.services.ports import free_ports
from infra.services.service import Service

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PrefectServer(Service):
    """A Prefect server with its page and all its services.

    Args:
        folder: for its home, and its database where it is given none.
        database_url: as SQLAlchemy writes it, such as `Postgres.url`; by default SQLite in the folder.
        port: by default a free one.
    """

    name = "the Prefect server"

    def __init__(self, folder: Path, database_url: str | None = None, port: int | None = None) -> None:
        super().__init__(folder, {"prefect": free_ports(1)[0] if port is None else port})
        self.database_url = database_url or f"sqlite+aiosqlite:///{self.folder / 'prefect.db'}"

    @property
    def api_url(self) -> str:
        """Where flows report to."""
        return f"http://127.0.0.1:{self.ports['prefect']}/api"

    @property
    def address(self) -> str:
        """Its page."""
        return self.api_url.removesuffix("/api")

    def ask(self, path: str, body: object = None) -> Any:
        """Return what its interface answers.

        Args:
            path: below `api_url`.
            body: what is posted as JSON; None to get.

        Raises:
            OSError: no answer, or a refusal.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api_url}/{path}", data, {"Content-Type": "application/json"})
        with _DIRECT.open(request) as answer:
            return json.load(answer)

    def environment(self) -> dict[str, str]:
        """Return the variables by which flows and the command `prefect` find it."""
        return {"PREFECT_API_URL": self.api_url}

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        where = ["--host", "127.0.0.1", "--port", str(self.ports["prefect"])]
        return [sys.executable, "-m", "prefect", "server", "start", *where]

    def own_environment(self) -> dict[str, str]:
        """Return its settings."""
        return {
            "PREFECT_HOME": str(self.folder / "home"),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_UI_API_URL": self.api_url,
            "PREFECT_API_DATABASE_CONNECTION_URL": self.database_url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "NO_PROXY": "127.0.0.1",
        }

    def answers(self) -> bool:
        """Tell whether it is ready, its database included."""
        try:
            with _DIRECT.open(f"{self.api_url}/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
