"""Commands that pages show are commands that there are."""

import re
import shlex
from importlib.util import find_spec

import pytest
import yaml

from flows.cli.parser import build_parser
from flows.deploying.declared import FILE
from tests.following import ROOT, shell_blocks

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page):
    """Return the commands of a page's shell blocks as lists of words; what another program is told comes with it."""
    lines = "".join(shell_blocks(page)).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_there_are_such_commands(page):
    deployments = {each["name"] for each in yaml.safe_load(FILE.read_text())["deployments"]}
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in commands(page):
        while re.fullmatch(r"[A-Z_]+=.*", words[0]) and len(words) > 1:  # variables of this command
            words = words[1:]
        match words:
            case ["mapmerge", *told]:
                build_parser().parse_args(told)
            case ["make", *told]:
                assert {each for each in told if "=" not in each} <= set(targets), words
            case ["prefect", "deployment", "run", name, *_]:
                assert name.partition("/")[2] in deployments, words
            case ["python", "-m", module, *_]:
                assert find_spec(module), words
