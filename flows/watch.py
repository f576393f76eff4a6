"""The flow that extends a front when experts have arrived: to be run on a schedule."""

import hashlib
import json
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.deployments import run_deployment

from mapmerge.checkpoints.open import WEIGHTS
from mapmerge.config import StudyConfig, read_study
from mapmerge.config.reading import override_config
from mapmerge.files.arrivals import arrived
from mapmerge.files.objects import is_remote
from mapmerge.frozen import frozen_study
from mapmerge.ledger.listing import list_runs
from mapmerge.ledger.runs import open_run
from mapmerge.ledger.store import Store
from tasks.prepare import new_run_id

FIND_FRONT = "find-front/find-front"


@flow(name="watch-family", log_prints=True)
def watch_family(
    study: str, experts: str, output: str, overrides: list[str] | None = None, settled_minutes: float = 10.0
) -> str | None:
    """Start `find-front` when experts are under a prefix that the last complete run of a study did not know.

    The new run extends that one, and its family is the experts of the study file and those under the prefix. Asking
    again changes nothing: a family has one flow run, whatever becomes of it; one that failed is resumed, or started by
    hand. Experts that vanish, or change under the same name, start nothing.

    Args:
        study: path of the study file, where the flow runs.
        experts: folder or `s3://bucket/folder`: each `NAME/model.safetensors` and `NAME.safetensors` is an expert.
        output: URI that holds the shared ledger and the runs.
        overrides: values of the study to replace, such as `budget.evaluations=60`.
        settled_minutes: an expert counts when none of its files was written for so long.

    Returns:
        The id of the run, or None where nobody has arrived.

    Raises:
        BadInputError: the study or a URI cannot be used.
        ObjectNotFound: the server has no deployment `find-front/find-front`.
    """
    config = read_study(Path(study), overrides or [])
    last = _last_run(config, output)
    known = set() if last is None else {each["name"] for each in frozen_study(open_run(last))["config"]["experts"]}
    found = _newcomers(config, Path(study).expanduser().absolute().parent, experts, 60.0 * settled_minutes)
    family = [*(expert.model_dump(mode="json") for expert in config.experts), *found]
    if last is not None and not {expert["name"] for expert in family} - known:
        print(f"nobody has arrived since {last}")
        return None
    override = f"experts={json.dumps(family)}"
    override_config(config, [override])  # what is no name of an expert should be told here
    run_id = new_run_id(study, hashlib.sha256(f"{config.name} {override}".encode()).hexdigest())
    asked = {"study": study, "output": output, "run_id": run_id, "overrides": [*(overrides or []), override]}
    started: Any = run_deployment(
        FIND_FRONT, parameters={**asked, "extend": last}, idempotency_key=run_id, as_subflow=False, timeout=0
    )
    state = "unknown" if started.state is None else started.state.name
    print(f"run {run_id} of {len(family)} experts: flow run {started.id}, {state}")
    return run_id


def _last_run(config: StudyConfig, output: str) -> str | None:
    """Return the URI of the last complete run of a study, None where there is none."""
    complete = [run for run in list_runs(Store(output)) if run.state == "complete" and run.study == config.name]
    return complete[-1].uri if complete else None


def _newcomers(config: StudyConfig, root: Path, experts: str, settled_s: float) -> list[dict[str, str]]:
    """Return the experts under a prefix that the study does not name; its base may lie there too."""
    named = [config.base, *(expert.checkpoint for expert in config.experts)]
    places = {_place(each if is_remote(each) else str(root / each)) for each in named}
    names = {expert.name for expert in config.experts}
    return [
        {"name": name, "checkpoint": where}
        for name, where in sorted(arrived(experts, settled_s).items())
        if name not in names and _place(where) not in places
    ]


def _place(checkpoint: str) -> str:
    return checkpoint.removesuffix(f"/{WEIGHTS}").rstrip("/")
