"""The interface of a Prefect server, and what is wrong when it cannot be used, in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import get_current_settings

from mapmerge.errors import BadInputError


class PrefectApi:
    """JSON in, JSON out, with the address and the credentials of this process's Prefect settings."""

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        """Return what is there, None where nothing is."""
        try:
            return self._client.request("GET", path).json()  # type: ignore[arg-type]
        except PrefectHTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND:
                return None
            raise

    def send(self, method: str, path: str, body: Any) -> Any:
        """Send a body and return the answer, None where it is empty."""
        answer = self._client.request(method, path, json=body)  # type: ignore[arg-type]
        return answer.json() if answer.content else None


@contextmanager
def open_api() -> Iterator[PrefectApi]:
    """Give the interface of the server that `PREFECT_API_URL`, or the Prefect profile, names.

    Raises:
        BadInputError: none is named, it does not answer, does not let us in, or refuses what it is asked.
    """
    url = get_current_settings().api.url
    if not url:
        raise BadInputError(
            "there is no Prefect server to deploy to: set PREFECT_API_URL, such as "
            "PREFECT_API_URL=http://127.0.0.1:4200/api; `make up` or `prefect server start` starts one"
        )
    try:
        with get_client(sync_client=True) as client:
            yield PrefectApi(client)
    except PrefectHTTPStatusError as error:
        raise BadInputError(_refusal(url, error.response)) from None
    except httpx.HTTPError as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise BadInputError(
            f"no Prefect server answers at PREFECT_API_URL={url} ({said}): is it running, and is this its address?"
        ) from None


def online(pool: str, api: PrefectApi) -> list[str]:
    """Return the names of the workers that take up runs of a work pool, by their heartbeat."""
    found = api.send("POST", f"/work_pools/{pool}/workers/filter", {"workers": {"status": {"any_": ["ONLINE"]}}})
    return [str(each["name"]) for each in found]


def _refusal(url: str, answer: httpx.Response) -> str:
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        given = [name for name in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING") if os.environ.get(name)]
        do = (
            f"check {' and '.join(given)}" if given else "set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY for its cloud"
        )
        return f"the Prefect server at {url} does not let us in ({answer.status_code}): {do}"
    if answer.status_code == httpx.codes.NOT_FOUND:
        return f"{url} answers, but not as a Prefect server does (404 for {answer.url.path}): it ends with /api"
    said = " ".join(answer.text.split())[:500]
    return (
        f"the Prefect server at {url} refused {answer.request.method} {answer.url.path} ({answer.status_code}): {said}"
    )
