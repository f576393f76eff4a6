"""Run a study, from a command or from Python: quietly, with its progress told, and with errors in mapmerge's words.

`mapmerge.run`, `mapmerge.resume` and `mapmerge.plan` find this module by its entry point; it is a
`mapmerge.running.Runner`. Prefect is imported only when it is needed.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mapmerge.errors import FailedRunError

_SERVER_PATIENCE_S = 60.0
"""How long a Prefect server that is not there yet is waited for, such as one that starts beside the command."""

_SERVER_LOOK_S = 1.0


def run(study: str, *, output: str, run_id: str | None, overrides: Sequence[str], extend: str | None) -> str:
    """Find the front of a study by the flow `find-front`.

    Args:
        study: path of the study file.
        output: URI that holds the ledger and the runs.
        run_id: name of the run; by default made from the study's name and the time.
        overrides: values of the study to replace.
        extend: URI of a complete run whose measurements count here too.

    Returns:
        The URI of the complete run.

    Raises:
        BadInputError: the study or what it names cannot be used.
        FailedRunError: the run cannot go on, or Prefect cannot.
    """
    from mapmerge.config import read_study

    read_study(Path(study), overrides)  # an error in the file should not wait for the orchestrator
    quiet_orchestrators()
    from flows.live import progress_stream
    from flows.pareto import find_front
    from tasks.prepare import new_run_id

    name = run_id or new_run_id(study)
    print(f"run {name}", file=progress_stream(), flush=True)
    return _drive(lambda: find_front(study, output, name, list(overrides), extend))


def resume(run_uri: str, *, overrides: Sequence[str]) -> str:
    """Go on with an interrupted run by the flow `resume-front`.

    Args:
        run_uri: the run.
        overrides: values under `compute` to replace.

    Returns:
        The URI of the complete run.

    Raises:
        RunError: there is no such run, somebody else drives it, or its inputs have changed.
        FailedRunError: the run cannot go on, or Prefect cannot.
    """
    quiet_orchestrators()
    from flows.pareto import resume_front

    return _drive(lambda: resume_front(run_uri, list(overrides)))


def plan(study: str, *, overrides: Sequence[str]) -> dict[str, Any]:
    """Check a study and count what a run would measure; see `tasks.plan.plan`."""
    quiet_orchestrators()
    from tasks.plan import plan as planned

    return planned(study, list(overrides))


def quiet_orchestrators() -> None:
    """Leave the screen to the progress of the run, and send nothing to anybody.

    Prefect and Ray read these when they are imported; what the user has set stays. Errors are told once, by whoever
    called, and not by Prefect too; whoever asks for its logs gets them.
    """
    if "PREFECT_LOGGING_LEVEL" not in os.environ:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    # Prefect's client asks this at every event: it holds where a notebook has imported Prefect before, too.
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # A server whose database restarts answers 500; asked again for about a minute, as it is where it does not answer.
    os.environ.setdefault("PREFECT_CLIENT_RETRY_EXTRA_CODES", "500,504")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 are too few where it is busy


def _drive(flow: Callable[[], str]) -> str:
    """Run a flow with its progress shown; return the URI of the run."""
    from httpx import HTTPError
    from prefect.exceptions import PrefectHTTPStatusError

    from flows.live import live_progress

    try:
        _await_server()
        with live_progress():
            return flow()
    except (HTTPError, PrefectHTTPStatusError) as error:  # again and again, as the client of Prefect has seen to
        said = " ".join(str(error).split()) or type(error).__name__
        raise FailedRunError(
            f"the Prefect server failed ({said}); see to it and to its database: the run goes on with `mapmerge resume`"
        ) from None
    except RuntimeError as error:
        if "ephemeral Prefect API server" in str(error):
            raise FailedRunError(f"{error} Is this machine very busy? Try again") from None
        if "Failed to reach API" not in str(error):
            raise
        raise FailedRunError(
            f"{error}: is the Prefect server running? Without PREFECT_API_URL a run needs no server"
        ) from None


def _await_server() -> None:
    """Wait until the Prefect server that is named accepts connections; where none comes, the flow says so itself."""
    from httpx import ConnectError
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    from flows.live import progress_stream

    if not PREFECT_API_URL.value():
        return
    until, told = time.monotonic() + _SERVER_PATIENCE_S, False
    with get_client(sync_client=True) as client:
        while isinstance(client.api_healthcheck(), ConnectError) and time.monotonic() < until:
            if not told:
                told = True
                print(f"no Prefect server yet, waiting {_SERVER_PATIENCE_S:.0f} s for it", file=progress_stream())
            time.sleep(_SERVER_LOOK_S)
