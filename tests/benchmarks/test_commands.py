"""Benchmarks are commands: each says how it is called, by module and by path."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("how", [["-m", "benchmarks.sample_efficiency"], ["benchmarks/sample_efficiency.py"]])
def test_a_benchmark_can_be_run_by_module_and_by_path(how: list[str]) -> None:
    said = subprocess.run([sys.executable, *how, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--methods" in said.stdout
