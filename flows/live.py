"""What a person sees while a run goes on: bars on a terminal, a line a round in a log or a notebook."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from tasks.progress import Progress, listening


@contextmanager
def live_progress() -> Iterator[None]:
    """Show progress on its stream, and whatever others print meanwhile too, so that stdout carries results only."""
    console, out = Console(stderr=True), progress_stream()
    with redirect_stdout(out):  # Ray tells there of workers that died
        if console.is_terminal:
            with _bar(console) as listener, listening(listener):
                yield
        else:
            with listening(_Lines(out)):
                yield


def progress_stream() -> TextIO:
    """Return where progress is told: stderr; in a notebook stdout, which nobody parses there, and stderr is red."""
    return sys.stdout if Console().is_jupyter else sys.stderr


@contextmanager
def _bar(console: Console) -> Iterator["_Bars"]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[facts]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        yield _Bars(bar)


class _Bars:
    """One bar a round."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._rows: dict[str, int] = {}

    def __call__(self, progress: Progress) -> None:
        if progress.stage not in self._rows:
            row = self._bar.add_task(progress.stage, total=progress.total or 1, facts="")
            self._rows[progress.stage] = int(row)
        self._bar.update(
            self._rows[progress.stage],  # type: ignore[arg-type]
            completed=progress.done,
            total=progress.total or 1,
            facts=facts(progress),
        )


class _Lines:
    """A line when a round begins, every ten seconds, and when it ends."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last: dict[str, float] = {}
        self._begun: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        begun = self._begun.setdefault(progress.stage, now)
        if progress.stage in self._last and not progress.ended and now - self._last[progress.stage] < 10:
            return
        self._last[progress.stage] = now
        counts = f" {progress.done}/{progress.total}" if progress.total else ""
        left = (now - begun) / progress.done * (progress.total - progress.done) if progress.done else 0.0
        eta = f", ETA {left:.0f} s" if left >= 1 else ""
        print(f"{progress.stage}{counts} {facts(progress)}{eta}".rstrip(), file=self._out, flush=True)


def facts(progress: Progress) -> str:
    """Say what is known of a round besides how far it is.

    >>> facts(Progress("design", 3, 10, failed=1, in_flight=4, hypervolume=0.5))
    '1 failed, 4 in flight, hypervolume 0.500'
    """
    words = []
    if progress.failed:
        words.append(f"{progress.failed} failed")
    if progress.in_flight:
        words.append(f"{progress.in_flight} in flight")
    if progress.hypervolume is not None:
        words.append(f"hypervolume {progress.hypervolume:.3f}")
    return ", ".join(words)
