"""The page about Python has an example of every public name, and its examples run from the first to the last."""

import re
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

import mapmerge as library

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_public_name_has_an_example():
    members = [name for name in vars(library.Front) if not name.startswith("_")]
    names = {*library.__all__, *members, *(field.name for field in fields(library.Point))}
    names.remove("Front")  # what `run` returns
    assert not [name for name in sorted(names) if not re.search(rf"\b{name}\b", "".join(EXAMPLES))]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_the_examples_run(digits_family, tmp_path, monkeypatch, capsys):
    shutil.copytree(digits_family, tmp_path / "zoo")
    study = tmp_path / "zoo" / "study.yaml"
    for here, there in (("upright", "mnist"), ("reversed", "animals")):  # the names of the family that the page builds
        study.write_text(study.read_text().replace(f"name: {here}", f"name: {there}"))
    monkeypatch.chdir(tmp_path)
    names = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/python.md", "exec"), names)
    assert (tmp_path / "first.html").is_file()
    assert (tmp_path / "merged" / "picked" / "model.safetensors").is_file()
    assert "no-such-study.yaml: no such study file" in capsys.readouterr().out
