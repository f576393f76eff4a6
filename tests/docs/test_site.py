"""The documentation can be built as a site, and no link of it leads nowhere."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_every_page_is_part_of_the_site_and_every_link_leads_somewhere(tmp_path):
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-b", "html"]
    command += ["-c", ROOT / "docs" / "site", "-d", tmp_path / "doctrees", ROOT, tmp_path / "site"]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    written = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert written <= {path.stem for path in (tmp_path / "site" / "docs").glob("*.html")}
    first = (tmp_path / "site" / "docs" / "index.html").read_text(encoding="utf-8")
    names = (tmp_path / "site" / "docs" / "site" / "api.html").read_text(encoding="utf-8")
    assert all(f'href="{page}.html"' in first for page in written - {"index"})
    assert 'id="mapmerge.Study"' in names
