"""Have a study's front found by everything on this machine: a deployment by REST, the worker, Ray, S3.

    python -m infra.smoke --study STUDY

The servers must run (`python -m infra.up`). What this asks and reads, anybody can, by HTTP and S3 alone.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import s3fs

from infra.arguments import parser, row, run
from infra.services.prefect_server import PrefectServer
from infra.services.seaweed import Seaweed
from infra.services.service import ServiceError
from infra.stack import BUCKET, Stack, open_stack

DEPLOYMENT = "find-front/find-front"
_ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_LOOK_S = 0.5


def main() -> int:
    """Trigger the deployment, tell its states, and say what front there is."""
    arguments = parser(__doc__)
    arguments.add_argument("--study", type=Path, required=True, help="a study file that the worker can read")
    arguments.add_argument("--patience", type=float, default=1800.0, help="seconds (default %(default)g)")
    options = arguments.parse_args()
    if not options.study.is_file():
        raise ServiceError(f"{options.study}: expected a study file, there is none")
    if not options.folder.exists():
        raise ServiceError(f"there are no servers in {options.folder}; start them by `make up`")
    stack = open_stack(options.folder)
    if off := [service.name for service in stack.services if not service.is_running]:
        raise ServiceError(f"expected all servers to run, but {', '.join(off)} is off; start them by `make up`")
    began = time.monotonic()
    flow_run = trigger(stack, options.study.resolve(), "smoke", f"smoke-{time.strftime('%Y%m%d-%H%M%S')}")
    print(row("triggered", flow_run["name"], f"{stack.prefect.address}/runs/flow-run/{flow_run['id']}"), flush=True)
    state = ended(stack.prefect, flow_run["id"], options.patience)
    if state["type"] != "COMPLETED":
        raise ServiceError(f"the flow run ended as {state['name']}: {state['message']}; see {stack.worker.log}")
    uri, result = found(stack.seaweed, flow_run["parameters"]["run_id"])
    volume = result["hypervolume"]
    said = f"{len(result['front'])} models, hypervolume {volume['value']:.3f}, in {time.monotonic() - began:.0f} s"
    print(row("front", said, uri))
    return 0


def trigger(stack: Stack, study: Path, output: str, run_id: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Ask Prefect for a run in a folder of the bucket; returns the flow run, as Prefect tells it."""
    deployment = stack.prefect.ask(f"deployments/name/{DEPLOYMENT}")
    parameters = {
        "study": str(study),
        "output": f"s3://{BUCKET}/{output}",
        "run_id": run_id,
        "overrides": ["compute.executor=ray", f"compute.address={stack.ray.address}", *overrides],
    }
    asked: dict[str, Any] = stack.prefect.ask(
        f"deployments/{deployment['id']}/create_flow_run", {"parameters": parameters}
    )
    return asked


def ended(prefect: PrefectServer, flow_run: str, patience: float) -> dict[str, Any]:
    """Wait for the end of a flow run and return its last state; tells each that it comes to.

    Raises:
        ServiceError: it has not ended in time.
    """
    before, until = None, time.monotonic() + patience
    while time.monotonic() < until:
        state: dict[str, Any] = prefect.ask(f"flow_runs/{flow_run}")["state"]
        if state["name"] != before:
            print(row("is", state["name"], ""), flush=True)
            before = state["name"]
        if state["type"] in _ENDED:
            return state
        time.sleep(_LOOK_S)
    raise ServiceError(f"the flow run was {before} after {patience:g} s; `--patience` waits longer")


def found(seaweed: Seaweed, run_id: str) -> tuple[str, dict[str, Any]]:
    """Return the URI of a run and its result, read from S3."""
    uri = f"s3://{BUCKET}/smoke/runs/{run_id}"
    files = s3fs.S3FileSystem(key=seaweed.key, secret=seaweed.secret, endpoint_url=seaweed.endpoint)
    return uri, json.loads(files.cat_file(f"{uri}/result.json"))


if __name__ == "__main__":
    run(main)
