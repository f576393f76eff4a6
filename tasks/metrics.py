"""What a driver counts while it measures, in the text format of Prometheus.

Where the variable `MAPMERGE_METRICS` names a folder, every run writes a file there for the textfile collector of
Prometheus' node exporter: no port is opened. Without the variable nothing is written.
"""

import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, write_to_textfile

from mapmerge.errors import ConfigError
from mapmerge.records import Evaluation

VARIABLE = "MAPMERGE_METRICS"

_WRITE_S = 5.0
"""Seconds between two writings of the file while a run goes on."""

_BOUNDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class Metrics:
    """The metrics of one run; each has the run's id as the label `run`. Threads may share it.

    Args:
        run_id: the run.
        folder: where its file is written; None for nowhere.

    >>> metrics = Metrics("first", None)
    >>> metrics.in_flight(2)
    >>> metrics.registry.get_sample_value("mapmerge_candidates_in_flight", {"run": "first"})
    2.0
    """

    def __init__(self, run_id: str, folder: Path | None) -> None:
        self.registry = CollectorRegistry()
        self._file = None if folder is None else folder / f"mapmerge-{run_id}.prom"
        self._lock, self._due, self._id = threading.Lock(), 0.0, run_id
        self._evaluations = Counter(
            "mapmerge_evaluations",
            "Measurements of a candidate on an objective: paid for by this run, known to the ledger, or failed.",
            ["run", "outcome"],
            registry=self.registry,
        )
        self._items = Counter(
            "mapmerge_item_forwards", "Items that this run put through a model.", ["run"], registry=self.registry
        )
        self._in_flight = Gauge(
            "mapmerge_candidates_in_flight", "Candidates that are being measured.", ["run"], registry=self.registry
        )
        self._ledger = Histogram(
            "mapmerge_ledger_seconds",
            "Time for which the driver waits for the ledger, by what it does there.",
            ["run", "operation"],
            buckets=_BOUNDS,
            registry=self.registry,
        )

    def __enter__(self) -> Self:
        """Write the file for the first time."""
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        """Write it for the last time: it stays, with what the run came to."""
        self.in_flight(0)
        self._write()

    def paid(self, evaluations: Iterable[Evaluation]) -> None:
        """Count what was measured here, and what failed."""
        for evaluation in evaluations:
            self._evaluations.labels(self._id, "paid" if evaluation.error is None else "failed").inc()
            self._items.labels(self._id).inc(evaluation.items)
        self._write_if_due()

    def known(self, count: int) -> None:
        """Count what the ledger had."""
        self._evaluations.labels(self._id, "known").inc(count)

    def in_flight(self, count: int) -> None:
        """Say how many candidates are being measured."""
        self._in_flight.labels(self._id).set(count)

    @contextmanager
    def waiting(self, operation: str) -> Iterator[None]:
        """Time what is done in the ledger: `recall`, `claim` or `keep`."""
        with self._ledger.labels(self._id, operation).time():
            yield

    def _write_if_due(self) -> None:
        if self._file is not None and time.monotonic() >= self._due:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        with self._lock:
            self._due = time.monotonic() + _WRITE_S
            try:
                write_to_textfile(str(self._file), self.registry)  # to a file beside it, and then moved
            except OSError as error:  # no reason for a run to fail
                logging.getLogger(__name__).warning("%s: could not be written (%s)", self._file, error)


def metrics_folder() -> Path | None:
    """Return where files of metrics are to be written, as the environment says; None for nowhere.

    Raises:
        ConfigError: it names what is not a folder.
    """
    said = os.environ.get(VARIABLE, "")
    if said and not Path(said).is_dir():
        raise ConfigError(f"{VARIABLE}={said}: expected a folder that exists, such as that of the textfile collector")
    return Path(said) if said else None
