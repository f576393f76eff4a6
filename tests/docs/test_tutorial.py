"""The tutorial runs from its first cell to its last, and is kept without what came out."""

from pathlib import Path

import nbclient
import nbformat
import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def tutorial():
    return nbformat.read(DOCS / "tutorial.ipynb", as_version=4)


def test_the_tutorial_is_kept_without_outputs(tutorial):
    nbformat.validate(tutorial)
    code = [cell for cell in tutorial.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_the_tutorial_runs(tutorial, tmp_path, monkeypatch):
    for name in ("PREFECT_API_URL", "PREFECT_LOGGING_LEVEL", "PREFECT_SERVER_ANALYTICS_ENABLED"):
        monkeypatch.delenv(name, raising=False)  # as at home: nothing is set
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    nbclient.NotebookClient(tutorial, timeout=540, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in tutorial.cells if cell.cell_type == "code" for output in cell.outputs]
    told = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    assert told.count("\nrun first\n") + told.startswith("run first\n") == 1
    assert "\npublish\n" in told
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    (shown,) = (output.data for output in outputs if "text/html" in output.get("data", {}))
    assert "data:image/svg+xml;base64," in shown["text/html"]
    assert len(shown["text/plain"].splitlines()) <= 10
