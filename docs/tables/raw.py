"""Raw results, and tables made of them."""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def read(name: str) -> dict[str, Any]:
    """Return a raw result."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table in Markdown."""
    lines = [list(heads)]
    lines.append(["---"] * len(lines[0]))
    lines += [[str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def median_of(rows: list[dict[str, Any]], *path: str) -> float:
    """Return the median of a figure."""

    def value(row: Any) -> float:
        for key in path:
            row = row[key]
        return float(row)

    return statistics.median(map(value, rows))
