"""The command line answers at once where nothing is to be computed."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "ray", "prefect", "numpy", "scipy", "sklearn", "pydantic", "botorch", "pymoo", "moocore", "fsspec"}

PROGRAM = """
import json, sys
from flows.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print(json.dumps(list(sys.modules)), file=sys.stderr)
sys.exit(code)
"""

COMMANDS = [
    "zoo build",
    "plan",
    "run",
    "resume",
    "front",
    "pick",
    "export",
    "report",
    "compare",
    "verify",
    "runs",
    "prune",
]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["frnt", "run"]])
def test_help_imports_nothing_heavy(arguments):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    imported = set(json.loads(done.stderr.splitlines()[-1]))
    assert "flows" in imported
    assert not imported & HEAVY
    assert done.returncode == (2 if "frnt" in arguments else 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(mapmerge, command):
    said = mapmerge(*command.split(), "--help")
    assert said.code == 0
    assert f"mapmerge {command}" in said.out


def test_no_command_is_bad_input_and_shows_the_commands(mapmerge):
    said = mapmerge()
    assert said.code == 2
    assert said.out == ""
    for command in COMMANDS:
        assert command.split()[0] in said.err


def test_the_version_is_that_of_the_package(mapmerge):
    from importlib.metadata import version

    assert mapmerge("--version").out == f"mapmerge {version('mapmerge')}\n"


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["run"], ["pick", "r", "--prefer", "a=1", "--knee"], ["front", "r", "--json", "--csv"]]
)
def test_arguments_that_do_not_fit_are_bad_input(mapmerge, arguments):
    said = mapmerge(*arguments)
    assert said.code == 2
    assert "usage:" in said.err
    assert said.out == ""
