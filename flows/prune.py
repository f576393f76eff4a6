"""The flow that removes what no run of a store needs, as `mapmerge prune` does."""

from typing import Any

from prefect import flow

from flows.cli.stores import print_plan, seconds
from mapmerge.ledger import pruning
from mapmerge.ledger.listing import find_store


@flow(name="prune-store", log_prints=True)
def prune_store(store: str, older_than: str = "30d", dry_run: bool = True) -> dict[str, Any]:
    """Remove measurements that no run of a store needs any more, and log what goes and what stays.

    Args:
        store: what the runs' output was: a folder or `s3://bucket/folder`.
        older_than: only what was written at least so long ago: a whole number with s, m, h, d or w, such as `7d`.
        dry_run: say what would be removed, and remove nothing.

    Returns:
        What was removed, or would be, as `mapmerge prune --json` prints it.

    Raises:
        RunError: there is no such store, or somebody else prunes it.
    """
    found, age = find_store(store), seconds(older_than)
    if dry_run:
        plan = pruning.plan_pruning(found, age)
        print_plan(plan)
    else:
        plan = pruning.prune(found, age, tell=print_plan)
    return plan.to_json()
