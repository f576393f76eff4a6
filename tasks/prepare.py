"""The first task of a run: check everything, freeze it, open the run."""

import re
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.config import StudyConfig, read_study
from mapmerge.config.reading import override_config
from mapmerge.earlier import from_json, holds_for, to_json
from mapmerge.errors import ConfigError, RunError
from mapmerge.frozen import frozen_study
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.probe import probe
from mapmerge.ledger.pruning import pruned_by
from mapmerge.ledger.references import STUDY
from mapmerge.ledger.runs import RunFolder, find_run, open_run
from mapmerge.ledger.store import Store
from mapmerge.nested.written import read_tree
from mapmerge.study import Study
from tasks.inputs import freeze, open_inputs
from tasks.metrics import metrics_folder
from tasks.node import study_of
from tasks.progress import Progress, report
from tasks.run import Run

_LOOK_AGAIN = 1.0
"""Seconds between two looks whether a prune is over."""


def new_run_id(study: str, flow_run: str | None = None) -> str:
    """Make the name of a run from the name of its study file and the time, unique by a random end.

    Args:
        study: path of the study file.
        flow_run: id of the flow run that begins the run; it takes the place of time and chance, so that a retry of the
            flow run finds its run again.

    >>> new_run_id("/data/My_Zoo.yaml", "0197a5c2-0000-7000-8000-00c0ffee0001")
    'my-zoo-00c0ffee0001'
    """
    stem = Path(study).resolve().parent.name if Path(study).stem == "study" else Path(study).stem
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:32] or "run"
    return f"{slug}-{flow_run[-12:] if flow_run else f'{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}'}"


def begun_by(flow_run: str | None, output: str, run_id: str) -> str | None:
    """Return the URI of a run where this very flow run has begun it: then it is retried, and goes on."""
    folder = RunFolder(Store(output), run_id)
    if flow_run is None or not folder.files.exists(STUDY):
        return None
    return folder.uri if frozen_study(folder).get("flow_run") == flow_run else None


@task(name="prepare", cache_policy=NO_CACHE)
def prepare(
    study: str,
    output: str,
    run_id: str,
    overrides: list[str],
    extend: str | None = None,
    flow_run: str | None = None,
) -> Run:
    """Check a study and everything it names, and open a new run for it.

    Args:
        study: path of the study file.
        output: where the run and the ledger are.
        run_id: name of the run.
        overrides: values of the study to replace.
        extend: URI of a complete run whose measurements are to teach the surrogates of this one.
        flow_run: id of the flow run that begins it, which the run remembers.

    Raises:
        BadInputError: something cannot be used; nothing was measured and no run exists.
        RunError: the run id is taken, or the store would let runs overwrite each other.
    """
    report(Progress("prepare"))
    path = Path(study).expanduser().resolve()
    config, root = read_study(path, overrides), path.parent
    inputs = open_inputs(config, root)
    # Designs are checked here, before a run exists, and where its metrics go.
    metrics_folder()
    whole = Study(config, inputs.objectives, inputs.search_items, inputs.held_out_items)
    frozen = freeze(config, root, inputs)
    if frozen.get("tree"):
        for node in read_tree(frozen["tree"], [expert.name for expert in config.experts]).nodes:
            study_of(whole.brief, node)
    earlier = None if extend is None else open_run(extend)
    if earlier is not None:
        known = holds_for(from_json(earlier.get_json("measured")), frozen_study(earlier), frozen)
        frozen |= {"extends": earlier.uri, "known": to_json(known)}
    folder = RunFolder(Store(output), run_id)
    if output.startswith("s3://"):
        probe(folder.store)
    folder.create(frozen if flow_run is None else {**frozen, "flow_run": flow_run})
    wait_for_prune(folder.store)
    run = Run(folder, EvaluationLedger(folder.store), folder.study())
    if earlier is not None and run.known is not None:
        run.ledger.copy(EvaluationLedger(earlier.store), (request.key for request in run.requests(run.known)))
    return run


@task(name="prepare", cache_policy=NO_CACHE)
def reopen(run_uri: str, overrides: list[str]) -> Run:
    """Open an interrupted run again, after checking that its inputs are still what they were.

    Raises:
        RunError: there is no such run, or an input has changed since it began.
        ConfigError: an override is not about `compute`.
    """
    report(Progress("prepare"))
    folder = find_run(run_uri)
    wait_for_prune(folder.store)
    frozen = frozen_study(folder)
    wrong = [override for override in overrides if not override.startswith("compute.")]
    if wrong:
        raise ConfigError(
            f"--set {wrong[0]}: a resumed run can only change values under `compute`, the rest is its result"
        )
    config = override_config(StudyConfig.model_validate(frozen["config"]), overrides)
    root = Path(frozen["root"])
    now = freeze(config, root, open_inputs(config, root))
    changed = differences(frozen["inputs"], now["inputs"])
    if changed:
        raise RunError(
            f"{run_uri}: cannot be resumed, its inputs have changed since it began: {', '.join(changed)}. "
            "Start a new run; the ledger still answers for whatever did not change"
        )
    warned = [*frozen["warnings"], *_other_version(frozen.get("mapmerge"), now["mapmerge"])]
    return Run(folder, EvaluationLedger(folder.store), {**frozen, "config": now["config"], "warnings": warned})


def _other_version(began: str | None, goes_on: str) -> list[str]:
    """Return the warning that a run goes on by another version than it began with, if it does.

    >>> _other_version("0.1.0", "0.1.0"), len(_other_version("0.1.0", "0.2.0"))
    ([], 1)
    """
    if began == goes_on:
        return []
    told = f"begun by mapmerge {began or 'of an earlier version'}, and ended by {goes_on}"
    return [f"{told}: what was measured is the same, but a whole run of either version may have chosen otherwise"]


def wait_for_prune(store: Store) -> None:
    """Wait while `mapmerge prune` removes records: it may have begun before this run was there to need any."""
    while (who := pruned_by(store)) is not None:
        report(Progress(f"wait for prune by {who}"))
        time.sleep(_LOOK_AGAIN)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Name what differs between two frozen inputs.

    >>> differences({"base": "a", "experts": {"x": "b"}}, {"base": "a", "experts": {"x": "c"}})
    ['experts.x']
    """
    names = []
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            names += [f"{key}.{name}" for name in differences(one, other)]
        elif one != other:
            names.append(key)
    return names
