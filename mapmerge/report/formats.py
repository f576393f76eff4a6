"""How numbers are written in the report: as many digits as the spread of the scores deserves, and no more."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

ABSENT = "–"
"""Stands where a number is missing."""


def decimals(values: Iterable[float | None]) -> int:
    """Return how many decimals tell these scores apart: about three digits of their spread, at most six.

    >>> decimals([0.31, 0.92]), decimals([12.0, 85.0]), decimals([0.9101, 0.9132]), decimals([])
    (3, 1, 5, 3)
    """
    finite = [v for v in values if v is not None and math.isfinite(v)]
    spread = max(finite) - min(finite) if finite else 0.0
    if spread <= 0.0:
        return 3
    return min(6, max(0, 2 - math.floor(math.log10(spread))))


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with a fixed count of decimals and a real minus sign, or a dash where there is none.

    >>> number(-0.5, 2), number(None), number(float("nan"))
    ('−0.50', '–', '–')
    """
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Return the two ends of an interval in brackets.

    >>> interval(0.1, 0.25, 2)
    '[0.10, 0.25]'
    """
    return f"[{number(low, digits)}, {number(high, digits)}]"


def count(value: float | None) -> str:
    """Return a count with thin gaps between thousands; from a million on in millions.

    >>> count(372), count(48_000), count(12_345_678)
    ('372', '48\u202f000', '12.3\xa0million')
    """
    if value is None:
        return ABSENT
    if value >= 1e9:
        return f"{value / 1e9:.1f}\u00a0billion"
    if value >= 1e6:
        return f"{value / 1e6:.1f}\u00a0million"
    return f"{int(value):,}".replace(",", "\u202f")


def duration(seconds: float | None) -> str:
    """Return a wall-clock time in the units a person would say.

    >>> duration(4.25), duration(185), duration(7384)
    ('4.2 s', '3 min 5 s', '2 h 3 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def plural(value: float, one: str, many: str | None = None) -> str:
    """Return a count with its noun.

    >>> plural(1, "expert"), plural(3, "expert"), plural(0, "story", "stories")
    ('1 expert', '3 experts', '0 stories')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def listing(names: Iterable[str], *, at_most: int = 6) -> str:
    """Return names as a sentence would, the tail as a number where there are too many.

    >>> listing(["a"]), listing(["a", "b", "c"]), listing("abcdefgh", at_most=3)
    ('a', 'a, b and c', 'a, b, c and 5 more')
    """
    given = list(names)
    if len(given) > at_most:
        return f"{', '.join(given[:at_most])} and {len(given) - at_most} more"
    return " and ".join([", ".join(given[:-1]), given[-1]] if len(given) > 1 else given)


def objective_decimals(result: Mapping[str, Any], points: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return for every objective of a result how many decimals its scores are written with."""
    shown = list(points)
    return {
        objective["name"]: decimals(point["measured"].get(objective["name"]) for point in shown)
        for objective in result["objectives"]
    }


def level(result: Mapping[str, Any]) -> str:
    """Return the confidence level of the intervals of a result.

    >>> level({"hypervolume": {"level": 0.9}})
    '90%'
    """
    return f"{result['hypervolume'].get('level', 0.9):.0%}"


def volume_digits(result: Mapping[str, Any]) -> int:
    """Return how many decimals hypervolumes are written with: with many objectives a good front fills little.

    >>> volume_digits({"hypervolume": {"value": 0.84}}), volume_digits({"hypervolume": {"value": 0.015}})
    (3, 4)
    """
    return max(3, decimals([0.0, result["hypervolume"]["value"]]))
