"""Whatever is done to a valid file, its reader accepts it or refuses it by an error of mapmerge."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.hostile_inputs import READERS, mutated
from mapmerge.errors import MapmergeError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in READERS.items()}


@pytest.mark.parametrize("name", READERS)
def test_the_examples_are_read(readers, name):
    for example in readers[name].examples:
        readers[name].read(example)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_spoilt_is_read_or_refused(readers, name, seed):
    with contextlib.suppress(MapmergeError):  # everything else is a crash
        readers[name].read(mutated(readers[name], np.random.default_rng(seed)))


@pytest.mark.slow
def test_a_reader_is_tallied_in_a_process_of_its_own(tmp_path):
    out = tmp_path / "found.json"
    command = [sys.executable, "-m", "benchmarks.hostile_reader", "study", "spoilt", "100", "0", str(out)]
    subprocess.run(command, cwd=ROOT, check=True)
    found = json.loads(out.read_text())
    assert found["inputs"] == 100
    assert found["accepted"] + sum(found["refused"].values()) == 100
    assert not found["crashes"]
