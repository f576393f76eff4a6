"""Every measured model of a result in one flat list: what the figures draw and the table of points lists."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["front", "dominated", "base", "expert", "uniform", "scalar", "random"]

KIND_WORDS: dict[Kind, str] = {
    "front": "on the front",
    "dominated": "dominated",
    "base": "base model",
    "expert": "single expert",
    "uniform": "uniform merge",
    "scalar": "best scalar",
    "random": "random search",
}
"""What the report calls each kind of point."""

BASELINE_NAMES = {"base": "the base model", "uniform": "the uniform merge", "best_scalar": "the best scalar"}
"""What a sentence calls the baselines that a front point cannot be told apart from; others are named as they are."""


@dataclass(frozen=True, slots=True)
class Point:
    """One measured model: its kind, the name it goes by, and the record it was read from."""

    kind: Kind
    name: str
    record: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the record with the kind and the name beside it."""
        return {**self.record, "kind": self.kind, "name": self.name}


def points_of(result: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return the front, the dominated points, then the baselines that the result has.

    >>> front = [{"id": "p01", "measured": {"a": 0.9}}]
    >>> base = {"measured": {"a": 0.1}}
    >>> [(p.kind, p.name) for p in points_of({"front": front, "baselines": {"base": base}})]
    [('front', 'p01'), ('base', 'base model')]
    """
    return tuple(_walk(result))


def spread(points: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """Return at most so many points, at least 2, evenly spread over the front.

    >>> [point["id"] for point in spread([{"id": i} for i in range(7)], 3)]
    [0, 3, 6]
    """
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(index * step)] for index in range(most)]


def _walk(result: Mapping[str, Any]) -> Iterator[Point]:
    for record in result.get("front", ()):
        yield Point("front", record["id"], record)
    for record in result.get("dominated", ()):
        yield Point("dominated", record["id"], record)
    baselines = result.get("baselines") or {}
    if baselines.get("base"):
        yield Point("base", "base model", baselines["base"])
    for name, record in (baselines.get("experts") or {}).items():
        yield Point("expert", name, record)
    if baselines.get("uniform"):
        yield Point("uniform", "uniform merge", baselines["uniform"])
    if baselines.get("best_scalar"):
        yield Point("scalar", "best scalar", baselines["best_scalar"])
    for index, record in enumerate((baselines.get("random_search") or {}).get("points", ()), start=1):
        yield Point("random", f"random {index}", record)
