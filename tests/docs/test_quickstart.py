"""The commands by which the README and the page about running begin do what is said of them."""

import pytest

from mapmerge.zoo.build import build_vision
from mapmerge.zoo.recipe import Recipe
from tests.following import ENVIRONMENT, ROOT, follow, shell_blocks

BUILD = "mapmerge zoo build vision --experts 2 --out zoo "
LATER = (
    "mapmerge resume out/runs/first",
    "mapmerge verify out/runs/first",
    "mapmerge runs out",
    "mapmerge index out",
    "mapmerge prune out --older-than 7d --dry-run",
)


@pytest.mark.slow
def test_a_front_is_found_and_used_as_the_readme_says(tmp_path):
    (quickstart,) = (block for block in shell_blocks(ROOT / "README.md") if block.startswith(ENVIRONMENT))
    build_vision(tmp_path / "zoo", experts=2, recipe=Recipe(items=500, train=1500, base_epochs=10))
    done = follow(quickstart, {BUILD: "true "}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "merged" / "README.md").is_file()
    assert "<html" in (tmp_path / "first.html").read_text()

    lines = "".join(shell_blocks(ROOT / "docs" / "running.md")).splitlines()
    assert set(LATER) <= set(lines)
    done = follow("\n".join([ENVIRONMENT, *LATER]), {}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first" in done.stdout
    assert (tmp_path / "out" / "index.html").is_file()
