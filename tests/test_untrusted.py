"""JSON of strangers: refused before it costs anything."""

import gc
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.untrusted import DEEPEST, numbers, parse_json

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(values)
def test_json_comes_back(value):
    assert parse_json(json.dumps(value).encode(), most=1000) == value


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40) | st.text('[]{}:,"\\u0123456789-.eENn', max_size=40).map(str.encode))
def test_anything_else_is_a_value_error(data):
    try:
        parse_json(data, most=20)
    except ValueError:
        assert gc.isenabled()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 5000, "more than 1000 values"),
        (b"[" + b"[]," * 1000 + b"1]", "more than 1000 values"),
        (b"[" * 900 + b"]" * 900, "nested deeper than 200"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "nested deeper than 200"),
        (b'{"a": 1, "b": {"a": 1, "a": 2}}', "the key 'a' is there twice"),
        (b"NaN", "no finite number"),
        (b"-Infinity", "no finite number"),
        (b"1e999", "no finite number"),
        (b"9" * 5000, "more than 64 bits"),
        (str(2**64).encode(), "more than 64 bits"),
        ('{"a": 1}'.encode("utf-16"), "codec can't decode"),
        (b"\xef\xbb\xbf{}", "Unexpected UTF-8 BOM"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_refused(data, words):
    with pytest.raises(ValueError, match=words):
        parse_json(data, most=1000)


@pytest.mark.parametrize("value", [None, "x", [1, [2]], [[1, 2], [3]], {"a": 1}, [None], [1e999], 3.0, [10**400]])
def test_what_are_no_numbers(value):
    with pytest.raises(ValueError, match="c: expected"):
        numbers(value, "c", 1)


def test_numbers():
    np.testing.assert_array_equal(numbers([[1, 2.5]], "c", 2), [[1.0, 2.5]])
