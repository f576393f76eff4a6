from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mapmerge.report.columns import columns

scores = st.dictionaries(st.sampled_from("abc"), st.floats(allow_nan=False), max_size=3)
records = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(), "measured": scores},
        optional={"low": scores, "names": st.lists(st.text(max_size=3), max_size=3)},
    )
)


@given(records)
def test_columns_hold_what_the_records_did(written: list[dict[str, Any]]) -> None:
    assert [record for block in columns(written) for record in _rows(block)] == written


@given(records.filter(bool))
def test_records_that_are_alike_are_one_block(written: list[dict[str, Any]]) -> None:
    assert len(columns([written[0]] * 5)) == 1


def _rows(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place in range(len(block["id"])):
        yield {key: _cell(column, place) for key, column in block.items()}


def _cell(column: Any, place: int) -> Any:
    if isinstance(column, dict):
        return {key: _cell(inner, place) for key, inner in column.items()}
    return column[place]
