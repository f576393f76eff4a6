"""Run studies from Python: the library asks whoever is installed to run them, since it knows no orchestrator itself."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from mapmerge.errors import ConfigError, MissingPackageError
from mapmerge.front import Front, open_front
from mapmerge.ledger.runs import find_run
from mapmerge.outputs import default_output, run_uri

GROUP, RUNNER = "mapmerge.runners", "prefect"
"""The entry point of the runner: its group, and its name there."""


class Runner(Protocol):
    """Who runs studies; the arguments are those of the functions of this module, all of them given."""

    def run(self, study: str, *, output: str, run_id: str | None, overrides: Sequence[str], extend: str | None) -> str:
        """Find the front of a study; return the URI of the complete run."""

    def resume(self, run_uri: str, *, overrides: Sequence[str]) -> str:
        """Go on with an interrupted run; return its URI once it is complete."""

    def plan(self, study: str, *, overrides: Sequence[str]) -> dict[str, Any]:
        """Check a study, and count what a run would measure."""


def run(
    study: str | Path,
    *,
    output: str | Path | None = None,
    run_id: str | None = None,
    overrides: Sequence[str] = (),
    extend: str | None = None,
) -> Front:
    """Find the Pareto front of a study; the run is the one that `mapmerge run` makes.

    Args:
        study: path of the study file.
        output: URI or folder that holds the ledger and the runs; by default `MAPMERGE_OUTPUT`, or `mapmerge-output` in
            the current folder.
        run_id: name of the run; by default made from the study's name and the time.
        overrides: values of the study to replace, such as `["budget.evaluations=60"]`.
        extend: a complete run, of a family with fewer or more experts: what it measured is not measured again.

    Raises:
        BadInputError: the study or what it names cannot be used; nothing was measured.
        FailedRunError: too many evaluations failed, or the resources are not there.
    """
    uri = _runner().run(
        str(Path(study).expanduser()),
        output=default_output() if output is None else str(output),
        run_id=run_id,
        overrides=_texts(overrides),
        extend=None if extend is None else run_uri(extend),
    )
    return open_front(uri)


def resume(run: str, *, overrides: Sequence[str] = ()) -> Front:
    """Go on with a run that was interrupted; of one that is complete, open the front.

    Args:
        run: its URI or folder, or its id under the default output.
        overrides: values under `compute` to replace, such as `["compute.actors=2"]`.

    Raises:
        RunError: there is no such run, somebody else drives it, or its inputs have changed.
        FailedRunError: too many evaluations failed, or the resources are not there.
    """
    uri, texts = run_uri(str(run)), _texts(overrides)
    return open_front(uri if find_run(uri).is_complete() else _runner().resume(uri, overrides=texts))


def plan(study: str | Path, *, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Check a study and everything it names, and say what a run would cost; no candidate is measured.

    Args:
        study: path of the study file.
        overrides: values of the study to replace.

    Returns:
        What `mapmerge plan --json` prints.

    Raises:
        BadInputError: something cannot be used.
    """
    return _runner().plan(str(Path(study).expanduser()), overrides=_texts(overrides))


def _runner() -> Runner:
    found = next(iter(entry_points(group=GROUP, name=RUNNER)), None)
    if found is None:
        raise MissingPackageError(
            f"nothing installed offers to run studies (no entry point {RUNNER!r} in {GROUP}): install mapmerge again; "
            "in its repository, `make setup`"
        )
    runner: Runner = found.load()
    return runner


def _texts(overrides: Sequence[str]) -> list[str]:
    if isinstance(overrides, str) or not all(isinstance(each, str) for each in overrides):
        raise ConfigError(f"overrides={overrides!r}: expected a list of texts, such as ['budget.evaluations=60']")
    return list(overrides)
