"""The process that drives a run, seen from outside: it lives or has ended, and measures."""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.faults_study import MARKS


class Driver:
    """A command in a process of its own.

    Args:
        arguments: of `mapmerge`.
        environment: all its variables.
        study: the study file; its marks are the measurements.
        log: a file for what it says on stderr.
    """

    def __init__(self, arguments: Sequence[object], environment: Mapping[str, str], study: Path, log: Path) -> None:
        self._marks, self._log = study.parent / MARKS, log
        self.begun, self.born = time.monotonic(), time.time()
        with log.open("wb") as said, log.with_suffix(".out").open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", *map(str, arguments)],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
                cwd=log.parent,
            )
        self.marks_before = self.marks()

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended, None while it lives."""
        return self.process.poll()

    def marks(self) -> int:
        """Count the measurements that were begun, by all drivers of this study."""
        return sum(1 for _ in self._marks.iterdir())

    def said(self) -> str:
        """Return what it said on stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def out(self) -> str:
        """Return what it said on stdout."""
        return self._log.with_suffix(".out").read_text(encoding="utf-8", errors="replace")

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, for so long at most; tells whether it has come."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def talks_to(self, port: int) -> bool:
        """Tell whether it has a connection to a server at this moment."""
        try:
            connections = psutil.Process(self.process.pid).net_connections("tcp")
        except psutil.Error:
            return False
        return any(each.raddr and each.raddr.port == port for each in connections)

    def stacks(self) -> str:
        """Return what its threads do, where py-spy is installed."""
        if shutil.which("py-spy") is None:
            return ""
        dumped = subprocess.run(["py-spy", "dump", "--pid", str(self.process.pid)], capture_output=True, text=True)
        return dumped.stdout + dumped.stderr
