"""Lets a benchmark be run by its path, `python benchmarks/NAME.py`: Python then finds this folder under its name."""

from pathlib import Path

__path__ = [str(Path(__file__).parent)]
