"""The benchmark of many experts runs the product as it is: here with four of them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_four_experts_cost_what_a_tree_of_pairs_costs(tmp_path):
    out = tmp_path / "scale.json"
    command = [sys.executable, "-m", "benchmarks.scale", "--experts", "4", "--folder", tmp_path / "kept", "--out", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads(out.read_text())["results"]
    assert (row["k"], row["nodes"], row["evaluations"]) == (4, 3, 12 * (2 + 2 + 4))
    assert row["constant"] == 12.0
    assert 0 < row["evaluations_measured"] <= row["evaluations"] + 4 + 4 + 4
    assert row["evaluations_of_map"] == 5 * 6 * 4
    assert (row["evaluations_unmerged"], row["evaluations_settled"]) == (4 + 4, 4)
    assert row["wall_s"] == pytest.approx(row["forward_s"] + row["orchestration_s"])
    assert row["whole_s"] == pytest.approx(row["wall_s"] + sum(row["after_s"].values()))
    assert list(row["after_s"]) == ["scalars", "search", "front", "published"]

    result = json.loads((tmp_path / "kept/linear-4/runs/run/result.json").read_text())
    (point,) = result["front"]
    base, found = (list(model["measured"].values()) for model in (result["baselines"]["base"], point))
    assert np.mean(found) > np.mean(base) + 0.05
