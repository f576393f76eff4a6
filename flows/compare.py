"""The flow that puts finished runs side by side, as `mapmerge compare` does."""

from typing import Any

from prefect import flow

from mapmerge.comparison import compare
from mapmerge.finished import FinishedRun
from tasks.artifacts import show_comparison


@flow(name="compare-runs")
def compare_runs(runs: list[str]) -> dict[str, Any]:
    """Put the measured fronts of runs side by side, and show them as a table.

    Args:
        runs: URIs of two or more complete runs, of the same objectives on the same held-out items.

    Returns:
        What `mapmerge compare --json` prints.

    Raises:
        BadInputError: they cannot be compared, or one is no complete run.
    """
    compared = compare([FinishedRun.open(uri) for uri in runs])
    show_comparison(compared)
    return compared
