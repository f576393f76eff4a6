"""What the Prefect page shows of a run: a summary, the front as a table and a picture, progress, the report."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from mapmerge.report.figures import data_uri, front_svg

_SECONDS = 1.0
"""Between two updates of the same progress."""


class RoundProgress:
    """The progress of one round, or of a stream of them, on the Prefect page.

    Brought up to date at its end, and at every tenth, but not more than once a second: a round can be over in less
    time than the server takes to write down its tenths, and a merge tree has many such rounds.
    """

    def __init__(self, study: str, description: str, total: int) -> None:
        created = create_progress_artifact(progress=0.0, key=f"{artifact_key(study)}-progress", description=description)
        self._id: UUID = created  # type: ignore[assignment]
        self._total = total
        self._shown, self._when = 0, time.monotonic()

    def update(self, done: int) -> None:
        """Show how much is finished of the total."""
        tenth = 10 * done // max(self._total, 1)
        now = time.monotonic()
        if tenth > self._shown and (done >= self._total or now - self._when >= _SECONDS):
            self._shown, self._when = tenth, now
            update_progress_artifact(artifact_id=self._id, progress=100.0 * done / self._total)


def show_tree(study: str, drawing: str) -> None:
    """Show a merge tree as far as it has been searched."""
    create_markdown_artifact(
        key=f"{artifact_key(study)}-tree", description="The merge tree", markdown=f"```text\n{drawing}\n```"
    )


def show(result: Mapping[str, Any]) -> None:
    """Create the artifacts of a finished run; their keys begin with the study's name, so that runs form a series."""
    name = artifact_key(result["study"])
    volume = result["hypervolume"]
    create_markdown_artifact(
        key=f"{name}-summary",
        description="What the run found",
        markdown="\n\n".join(
            [
                f"# {result['study']}: {len(result['front'])} points on the front",
                result["verdict"],
                f"Hypervolume **{volume['value']:.3f}** ({volume['low']:.3f} to {volume['high']:.3f}), predicted "
                f"{volume['predicted']:.3f}. Evaluations: {result['evaluations']} paid, {result['evaluations_reused']} "
                f"from the ledger, {result['evaluations_failed']} failed. Run `{result['run_uri']}`.",
                *(f"- {warning}" for warning in result["warnings"]),
            ]
        ),
    )
    create_table_artifact(
        key=f"{name}-front",
        description="The front: coefficients, measured scores",
        table=[
            {
                "id": point["id"],
                **{f"c {expert}": f"{value:.3f}" for expert, value in point["coefficients"].items()},
                **{
                    objective: f"{score:.4f} [{point['low'][objective]:.4f}, {point['high'][objective]:.4f}]"
                    for objective, score in point["measured"].items()
                },
            }
            for point in result["front"]
        ],
    )
    # The picture travels with the artifact: whoever looks at the page need not be let into the store.
    create_image_artifact(
        key=f"{name}-picture", description="The front, and its baselines", image_url=data_uri(front_svg(result))
    )
    create_link_artifact(
        key=f"{name}-report", link=f"{result['run_uri']}/report.html", link_text="report", description="The HTML report"
    )


def show_comparison(compared: Mapping[str, Any]) -> None:
    """Show what `mapmerge.comparison.compare` says of runs, as a table with a row for each."""
    create_table_artifact(
        key="comparison",
        description=compared["explanation"],
        table=[
            {
                "run": run["run_id"],
                "method": run["method"],
                **{
                    name: f"{run[name]['value']:.3f} [{run[name]['low']:.3f}, {run[name]['high']:.3f}]"
                    for name in ("hypervolume", "gd", "igd", "win_rate")
                },
                "evaluations": run["evaluations"],
                "points": run["front_points"],
            }
            for run in compared["runs"]
        ],
    )


def show_health(found: Sequence[Mapping[str, Any]]) -> None:
    """Show what was looked at, as a table with a row for each check."""
    create_table_artifact(
        key="health", description="What runs rely on, as it was found", table=[dict(each) for each in found]
    )


def artifact_key(study: str) -> str:
    """Return a study's name as Prefect wants keys: lower-case letters, digits and dashes.

    >>> artifact_key("Vision_4.b")
    'vision-4-b'
    """
    return re.sub(r"[^a-z0-9]+", "-", study.lower()).strip("-")
