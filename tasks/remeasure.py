"""The first task of a run that measures the front of another one on other held-out items."""

from collections.abc import Mapping
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from mapmerge.config import StudyConfig
from mapmerge.config.reading import override_config
from mapmerge.errors import ConfigError, RunError, did_you_mean
from mapmerge.finished import FinishedRun
from mapmerge.frozen import frozen_study
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from tasks.inputs import freeze, open_inputs
from tasks.prepare import differences, wait_for_prune
from tasks.progress import Progress, report
from tasks.run import Run


@task(name="prepare", cache_policy=NO_CACHE)
def prepare_again(
    run_uri: str, held_out: Mapping[str, str], run_id: str, overrides: list[str], flow_run: str | None = None
) -> Run:
    """Open a run beside a complete one, with its front and its study, but for some held-out items.

    What the complete run measured on search items lies in the ledger of both: it is not measured again, and the
    surrogates are the same.

    Args:
        run_uri: the complete run.
        held_out: for some objectives, the item set that takes the place of theirs; paths start at the study's folder.
        run_id: name of the new run.
        overrides: values under `compute` to replace.
        flow_run: id of the flow run that begins it, which the run remembers.

    Raises:
        ConfigError: there is no such objective, or an override is not about `compute`.
        RunError: the run is not complete, its other inputs have changed since, or the run id is taken.
    """
    report(Progress("prepare"))
    earlier = FinishedRun.open(run_uri)
    before = frozen_study(earlier.folder)
    config = _study(StudyConfig.model_validate(before["config"]), held_out, overrides)
    root = Path(before["root"])
    now = freeze(config, root, open_inputs(config, root))
    asked = tuple(f"evaluators.{name}.held_out." for name in held_out)
    changed = [name for name in differences(before["inputs"], now["inputs"]) if not name.startswith(asked)]
    if changed:
        raise RunError(
            f"{run_uri}: cannot be measured again, its inputs have changed since it began: {', '.join(changed)}"
        )
    experts, points = earlier.result["experts"], (*earlier.result["front"], *earlier.result["dominated"])
    about = f"the front is that of {earlier.folder.uri}, measured on other held-out items of {', '.join(held_out)}"
    frozen = {
        **before,
        "config": now["config"],
        "inputs": now["inputs"],
        "delivered": [[point["coefficients"][name] for name in experts] for point in points],
        "warnings": [about, *now["warnings"]],
        "flow_run": flow_run,
    }
    folder = RunFolder(earlier.folder.store, run_id)
    folder.create(frozen)
    wait_for_prune(folder.store)
    return Run(folder, EvaluationLedger(folder.store), folder.study())


def _study(config: StudyConfig, held_out: Mapping[str, str], overrides: list[str]) -> StudyConfig:
    """Return the study with other held-out items."""
    names = [objective.name for objective in config.objectives]
    for name in held_out:
        if name not in names:
            raise ConfigError(f"held_out: the run has no objective {name!r}; {did_you_mean(name, names)}")
    if not held_out:
        raise ConfigError("held_out: expected at least one objective with other items, such as mnist: new.safetensors")
    for override in overrides:
        if not override.startswith("compute."):
            raise ConfigError(f"{override}: only values under `compute` can be changed here")
    values = override_config(config, overrides).model_dump(mode="json")
    for objective in values["objectives"]:
        objective["held_out"] = held_out.get(objective["name"], objective["held_out"])
    return StudyConfig.model_validate(values)
