"""`import mapmerge` is light: names come when they are used, and nothing heavy before."""

import json
import subprocess
import sys

import pytest

import mapmerge

PROGRAM = """
import json, sys
before = set(sys.modules)
import mapmerge
dir(mapmerge)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_to_import_mapmerge_imports_nothing_else_of_it_and_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    imported = json.loads(done.stdout)
    assert [name for name in imported if name.startswith(("mapmerge", "tasks", "flows"))] == ["mapmerge"]
    assert not {"torch", "ray", "prefect", "numpy", "pydantic"} & set(imported)


def test_what_a_reader_of_runs_uses_knows_no_orchestrator():
    names = "open_front, run, resume, plan, Front, Study, read_study"
    program = f"import json, sys; from mapmerge import {names}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"ray", "prefect", "flows", "tasks"} & set(json.loads(done.stdout))


@pytest.mark.parametrize("name", mapmerge.__all__)
def test_every_name_is_there(name):
    assert getattr(mapmerge, name).__name__ == name
    assert name in dir(mapmerge)


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'font'"):
        _ = mapmerge.font
