"""Arrays come out of pickles, and nothing else does."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import IntegrityError
from mapmerge.zoo.array_pickle import read_array_pickle


class Hostile:
    """Runs a command when a careless reader unpickles it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.bool_])
@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_come_back_as_they_were(dtype, protocol):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    read = read_array_pickle(pickle.dumps(array, protocol=protocol))
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, array)


def test_the_spelling_of_older_numpy_is_read():
    array = np.arange(5)
    old = pickle.dumps(array, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    np.testing.assert_array_equal(read_array_pickle(old), array)


def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path: Path):
    trace = tmp_path / "ran"
    with pytest.raises(IntegrityError, match=r"system.*damaged or hostile"):
        read_array_pickle(pickle.dumps(Hostile(f"touch {trace}")))
    assert not trace.exists()


def test_a_hostile_object_inside_an_array_is_refused(tmp_path: Path):
    trace = tmp_path / "ran"
    array = np.array([Hostile(f"touch {trace}")], dtype=object)
    with pytest.raises(IntegrityError, match="only plain arrays"):
        read_array_pickle(pickle.dumps(array, protocol=4))
    assert not trace.exists()


@pytest.mark.parametrize("value", [[1, 2], "words", None, np.array(["a"]), np.array([None])])
def test_what_is_no_array_of_numbers_is_refused(value):
    with pytest.raises(IntegrityError, match="expected a pickled array of numbers"):
        read_array_pickle(pickle.dumps(value, protocol=4))


@given(data=st.binary(max_size=60))
@settings(max_examples=50, deadline=None)
def test_garbage_is_an_integrity_error(data):
    with pytest.raises(IntegrityError):
        read_array_pickle(data)
