"""The documentation as a site: `make docs` builds it, and fails where a link leads nowhere.

The pages are those that a reader of the repository sees, in their places, so that their links hold in both.
"""

import importlib.metadata
from pathlib import Path
from typing import Any

project = "mapmerge"
copyright = "the mapmerge authors"
release = importlib.metadata.version("mapmerge")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/*.md",
    "docs/*.ipynb",
    "docs/site/api.md",
]
root_doc = "docs/index"

myst_heading_anchors = 4  # as deep as the pages link into each other
nb_execution_mode = "off"  # a test runs the notebook
autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "furo"
html_title = f"mapmerge {release}"
html_copy_source = False
html_show_sphinx = False

CONTENTS = Path(__file__).with_name("contents.md")


def setup(app: Any) -> None:
    """Give the first page the order of all others, which a reader of the repository has no use for."""

    def add_contents(_: Any, page: str, source: list[str]) -> None:
        if page == root_doc:
            source[0] += CONTENTS.read_text(encoding="utf-8")

    app.connect("source-read", add_contents)
