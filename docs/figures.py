"""Tables of `docs/benchmarks.md`, made from the raw results: `python -m docs.figures` fills them in.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; a test checks that the page is up to date.
"""

import re
from collections.abc import Callable
from pathlib import Path

from docs.tables import fits, keeping, methods, running, serving

PAGE = Path(__file__).parent / "benchmarks.md"

TABLES: dict[str, Callable[[], str]] = {
    table.__name__: table
    for table in (
        methods.front_quality,
        methods.sample_efficiency,
        methods.win_rate,
        methods.nested,
        methods.item_sets,
        fits.surrogates,
        fits.prediction_space,
        fits.ablation,
        fits.stopping,
        fits.calibration,
        running.reproducibility,
        running.overhead,
        running.sharing,
        running.siblings,
        running.scale,
        running.prefect_databases,
        running.cancelled,
        serving.nights,
        serving.together,
        serving.loads,
        serving.loads_memory,
        serving.from_clone,
        serving.pages,
        keeping.ledger,
        keeping.ledger_batches,
        keeping.faults,
        keeping.faults_in_all,
        keeping.hostile,
    )
}


def filled(page: str) -> str:
    """Return the page with every table made anew."""

    def made(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]]()}\n<!-- end -->"

    return re.sub(r"(<!-- table: (\S+) -->)\n.*?<!-- end -->", made, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
