"""The drill-down of the report: from a delivered point to its evaluations and to single items."""

import itertools
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mapmerge.report.formats import ABSENT, count, interval, number, objective_decimals, plural
from mapmerge.report.items import Contrast, ItemTable, ObjectiveItems, Side, delivered
from mapmerge.report.points import points_of
from mapmerge.report.tables import Cell, Column, table


def details(result: Mapping[str, Any], items: ItemTable | None) -> str:
    """Return one closed `details` element for each delivered point, in the order of the points.

    Args:
        result: a result object of schema `mapmerge/result/1`.
        items: what `look_up` found; None where the ledger is not at hand.
    """
    if items is None:
        return '<p class="none">This page was made from the result alone, without the ledger of the run.</p>'
    digits = objective_decimals(result, [point.record for point in points_of(result)])
    tops = {name: _top(found.contrasts) for name, found in items.items()}
    return "\n".join(
        _point(place, point, items, digits, tops, on_front=place < len(result["front"]))
        for place, point in enumerate(delivered(result))
    )


def _point(
    place: int,
    point: Mapping[str, Any],
    items: ItemTable,
    digits: Mapping[str, int],
    tops: Mapping[str, int],
    *,
    on_front: bool,
) -> str:
    known = [found.contrasts[place] for found in items.values()]
    contrasts = [each for each in known if each is not None]
    gained, lost = sum(each.gained.count for each in contrasts), sum(each.lost.count for each in contrasts)
    said = f"gains {count(gained)}, loses {plural(lost, 'item')}" if contrasts else "items are not known"
    name = str(point["id"])
    rows = [
        _row(point, objective, found, place, digits[objective], tops[objective]) for objective, found in items.items()
    ]
    columns = [
        Column("Objective"),
        Column("Measured", numeric=True),
        Column("Best unmerged", numeric=True),
        Column("Items", numeric=True),
        Column("Gained", numeric=True),
        Column("Lost", numeric=True),
        Column("Alike", numeric=True),
        Column("Along the item set"),
    ]
    return (
        f'<details class="drill" id="items-k{place}"><summary><b>{escape(name)}</b> '
        f'{"on the front" if on_front else "dominated"} <span class="quiet">{escape(said)}</span></summary>'
        f"{table(f'{name} against the best unmerged model, item by item', columns, rows)}"
        f"<details><summary>Which items, and the evaluations</summary>{_keys(items, place)}</details></details>"
    )


def _row(
    point: Mapping[str, Any], objective: str, found: ObjectiveItems, place: int, digits: int, top: int
) -> list[Cell]:
    rival, seen = found.rival, found.contrasts[place]
    low, high = point["low"][objective], point["high"][objective]
    first = [
        Cell(objective),
        Cell(number(point["measured"][objective], digits), interval(low, high, digits), numeric=True),
        Cell(ABSENT, numeric=True) if rival is None else Cell(number(rival.score, digits), rival.name, numeric=True),
    ]
    if seen is None:
        why = "no unmerged model was measured" if rival is None else "an evaluation is no longer in the ledger"
        return [*first, *(Cell(ABSENT, numeric=True) for _ in range(4)), Cell(why)]
    alike = seen.items - seen.gained.count - seen.lost.count
    return [
        *first,
        Cell(count(seen.items), numeric=True),
        Cell(count(seen.gained.count), numeric=True),
        Cell(count(seen.lost.count), numeric=True),
        Cell(count(alike), "" if seen.right is None else f"{count(seen.right)} right", numeric=True),
        Cell("", markup=_picture(seen, top)),
    ]


def _keys(items: ItemTable, place: int) -> str:
    parts = []
    for objective, found in items.items():
        seen = found.contrasts[place]
        listed = "" if seen is None else f"<br>gained: {_numbers(seen.gained)}<br>lost: {_numbers(seen.lost)}"
        parts.append(
            f'<dt>{escape(objective)}</dt><dd><span class="mono">{escape(found.keys[place])}</span>{listed}</dd>'
        )
    return f'<dl class="keys">{"".join(parts)}</dl>'


def _numbers(side: Side) -> str:
    if not side.count:
        return "none"
    more = side.count - len(side.listed)
    return ", ".join(map(str, side.listed)) + (f" and {count(more)} more" if more else "")


def _top(contrasts: Sequence[Contrast | None]) -> int:
    """Return the height of all pictures of an objective, so that points can be compared."""
    sides = [side for each in contrasts if each is not None for side in (each.gained, each.lost)]
    return max((most for side in sides for most in side.bins), default=0) or 1


def _picture(seen: Contrast, top: int) -> str:
    # Gained above the line, lost below it; the numbers beside it say the same to who does not see it. A stretch of the
    # set is one unit wide and an item one unit high: whole numbers, since a report may have thousands of pictures.
    width = len(seen.gained.bins)
    up, down = _outline(seen.gained, -1), _outline(seen.lost, 1)
    return (
        f'<svg viewBox="0 {-top} {width} {2 * top}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{up}"/><path d="{down}"/></svg>'
    )


def _outline(side: Side, turn: int) -> str:
    # From the middle of one stretch to that of the next; stretches in line need one step.
    heights = [turn * high for high in side.bins]
    runs = (
        (change, len(list(run))) for change, run in itertools.groupby(b - a for a, b in itertools.pairwise(heights))
    )
    steps = " ".join(f"{run} {run * change}".replace(" -", "-") for change, run in runs)
    return f"M0 0v{heights[0]}h.5l{steps}h.5V0" if steps else f"M0 0v{heights[0]}h1V0"
