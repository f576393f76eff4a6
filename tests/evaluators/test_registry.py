import sys

import pytest

from mapmerge.errors import ConfigError
from mapmerge.evaluators.classification import Classification
from mapmerge.evaluators.registry import load_evaluator


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """Install a distribution that offers evaluators: an entry point is a file in a folder on the path."""

    def install(entries, source=""):
        folder = tmp_path / "plugged-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[mapmerge.evaluators]\n{entries}\n")
        (tmp_path / "plugged_module.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "plugged_module", raising=False)

    yield install
    sys.modules.pop("plugged_module", None)


def test_the_bundled_evaluator_is_found():
    assert load_evaluator("classification") is Classification


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ConfigError, match="no evaluator 'clasification', did you mean 'classification'"):
        load_evaluator("clasification")
    with pytest.raises(ConfigError, match=r"known are .*'classification'"):
        load_evaluator("zzz")


def test_a_plug_in_is_found(plug_in):
    plug_in(
        "mine = plugged_module:Mine",
        "from mapmerge.evaluators.classification import Classification\nclass Mine(Classification):\n    name = 'mine'",
    )
    assert load_evaluator("mine").name == "mine"


@pytest.mark.parametrize(
    ("entry", "source", "message"),
    [
        ("mine = plugged_module:Mine", "", "cannot be imported from plugged_module:Mine: AttributeError"),
        ("mine = plugged_module:Mine", "import no_such_package", "ModuleNotFoundError"),
        ("mine = plugged_module:Mine", "1 / 0", "ZeroDivisionError"),
        ("mine = plugged_module:Mine", "class Mine:\n    name = 'mine'", "it lacks version, open"),
        ("mine = plugged_module:Mine", "Mine = 3", "to be a class"),
        (
            "mine = plugged_module:Mine",
            "from mapmerge.evaluators.classification import Classification as Mine",
            "calls itself 'classification'",
        ),
        ("classification = plugged_module:Other", "", "offered more than once"),
    ],
)
def test_what_is_no_evaluator_is_named(plug_in, entry, source, message):
    plug_in(entry, source)
    with pytest.raises(ConfigError, match=message):
        load_evaluator(entry.partition(" ")[0])
