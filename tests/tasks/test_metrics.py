"""What a run counts, as Prometheus reads it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.metrics import VARIABLE, Metrics, metrics_folder


def read(file):
    """Return the samples of a file by name and labels, those of the run left out."""
    families = text_string_to_metric_families(file.read_text())
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name not in ("run", "le"))): sample
        for family in families
        for sample in family.samples
    }


@pytest.mark.slow
def test_a_run_leaves_what_its_result_says(mapmerge, digits_family, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    words = [digits_family / "study.yaml", "--output", tmp_path / "out", "--json"]
    first = mapmerge("run", *words, "--run-id", "first").json
    assert [path.name for path in tmp_path.glob("*.prom")] == ["mapmerge-first.prom"]
    samples = read(tmp_path / "mapmerge-first.prom")
    assert {sample.labels["run"] for sample in samples.values()} == {"first"}
    assert samples["mapmerge_evaluations_total", "paid"].value == first["evaluations"]
    assert samples["mapmerge_item_forwards_total",].value == first["items_forwarded"]
    assert samples["mapmerge_candidates_in_flight",].value == 0
    claims, kept = (samples["mapmerge_ledger_seconds_count", operation].value for operation in ("claim", "keep"))
    assert claims == kept > 0

    again = mapmerge("run", *words, "--run-id", "again").json
    samples = read(tmp_path / "mapmerge-again.prom")
    assert ("mapmerge_evaluations_total", "paid") not in samples
    assert samples["mapmerge_evaluations_total", "known"].value >= again["evaluations_reused"] > 0


def test_without_the_variable_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with Metrics("first", metrics_folder()) as metrics, metrics.waiting("keep"):
        metrics.known(3)
    assert list(tmp_path.iterdir()) == []
    assert metrics.registry.get_sample_value("mapmerge_evaluations_total", {"run": "first", "outcome": "known"}) == 3


def test_a_file_that_cannot_be_written_ends_no_run(tmp_path, caplog):
    folder = tmp_path / "gone"
    with Metrics("first", folder):
        pass
    assert str(folder / "mapmerge-first.prom") in caplog.text


@pytest.mark.slow
def test_a_folder_that_is_not_there_is_said_before_anything_is_measured(mapmerge, digits_family, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    said = mapmerge("run", digits_family / "study.yaml", "--output", tmp_path / "out")
    assert said.code == 2
    assert f"{VARIABLE}={tmp_path / 'none'}: expected a folder that exists" in said.err
    assert not (tmp_path / "out").exists()
