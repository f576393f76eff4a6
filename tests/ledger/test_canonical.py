import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import IntegrityError
from mapmerge.ledger.canonical import canonical_json, content_hash, parse_checked, parse_object, with_checksum

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# A lone surrogate is a Python string but no text that UTF-8 can hold.
objects = st.dictionaries(st.text(), values, max_size=4).filter(lambda value: "\\ud" not in json.dumps(value))


@settings(max_examples=25, deadline=None)
@given(objects)
def test_canonical_json_is_json_and_a_fixed_point(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@settings(max_examples=25, deadline=None)
@given(objects)
def test_the_order_of_keys_does_not_count(value):
    assert content_hash(dict(reversed(value.items()))) == content_hash(value)


@settings(max_examples=25, deadline=None)
@given(objects.filter(lambda value: "checksum" not in value))
def test_what_was_checked_in_comes_back(value):
    record = with_checksum(value)
    assert parse_checked(canonical_json(record), "here") == record


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": value})


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1]", b"3", b"null", b"\xff\xfe", b'{"a": NaN}', b'{"a": Infinity}', b"[" * 100_000, b"9" * 10_000],
)
def test_other_bytes_are_refused_and_named(data):
    with pytest.raises(IntegrityError, match=r"here: expected a JSON object"):
        parse_object(data, "here")


@pytest.mark.parametrize(
    "data", [b"{}", b'{"checksum": 3}', b'{"checksum": "0"}', b'{"a": 1e999, "checksum": "0"}', b'{"a": "\\ud800"}']
)
def test_wrong_checksums_are_refused(data):
    with pytest.raises(IntegrityError, match="here: "):
        parse_checked(data, "here")


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data):
    with pytest.raises(IntegrityError):
        parse_checked(data, "here")
