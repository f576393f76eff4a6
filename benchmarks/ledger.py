"""What the ledger of evaluations costs: writing a record, resuming, verifying; one object a record or a batch of them.

The records are made up but of realistic size, of four objectives a candidate: margins of a sample of 250 items, or
outcomes of 2,000. They are written as the driver of a run does it, and found again as a resumed run does it: a
question at a time, each with the keys of its requests. Each step is a process of its own. Stores are a local folder
and SeaweedFS on this machine; the processor time of the server is told beside that of the process that asks.

    python -m benchmarks.ledger --out FILE.json

What the file has of other stores stays.
"""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks import ledger_batches as batches
from benchmarks.ledger_study import ITEMS, OBJECTIVES, SAMPLED, measurements, open_ledger, open_made_up, question
from benchmarks.machine import write
from infra.services.seaweed import Seaweed
from mapmerge.ledger import remote_objects
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.record import StoredEvaluation
from mapmerge.ledger.runs import RunFolder
from mapmerge.records import Evaluation, JsonObject
from tasks.run import Run
from tasks.sharing import Sharing

QUESTIONS = (1000, None)
"""Requests of one question of a resumed run; None: all in one."""

_SMALL = 10_000
"""Up to so many records a question of 48 requests is measured too, and s3fs; so many are written one by one."""

_THREADS = 8

_LOOKS = 20
"""Single records that are looked up to see how long that takes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="records, hundreds (default %(default)s)")
    parser.add_argument("--stores", default="local,seaweedfs", help="comma-separated (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="of the sizes up to --repeated (default %(default)s)")
    parser.add_argument("--repeated", type=int, default=1000, help="default %(default)s")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    sizes = sorted(map(int, options.sizes.split(",")))
    if any(size % batches.BATCH for size in sizes):  # a batch is written once
        parser.error(f"--sizes {options.sizes}: expected multiples of {batches.BATCH}")
    results: list[dict[str, Any]] = json.loads(options.out.read_bytes())["results"] if options.out.exists() else []
    for repeat, kind in itertools.product(reversed(range(options.repeats)), options.stores.split(",")):
        with _store(kind) as (uri, server):
            before = 0
            results = [row for row in results if (row["store"], row["repeat"]) != (kind, repeat)]
            for size in sizes if repeat == 0 else [size for size in sizes if size <= options.repeated]:
                for row in measure(uri, server, before, size):
                    results.append({"store": kind, "records": size, "repeat": repeat, **row})
                    print(results[-1], flush=True)
                    about = {"objectives": OBJECTIVES, "items": ITEMS, "sampled": SAMPLED, "batch": batches.BATCH}
                    write(options.out, "ledger", results, **about)
                before = size


def measure(uri: str, server: int | None, before: int, size: int) -> Iterator[dict[str, Any]]:
    """Let a store grow to `size` records and yield what that took, and what it takes to read them again.

    Args:
        uri: of the store.
        server: process id of its server, None where it has none.
        before: how many records it has.
        size: how many it is to have.
    """
    end = min(size, before + _SMALL)
    steps: list[tuple[Callable[..., dict[str, Any]], Any]] = [(writing, (before, end))]
    steps += [(filling, end)] if size > end else []
    steps += [(resuming, requests) for requests in ((48,) if size <= _SMALL else ()) + QUESTIONS]
    steps += [(resuming_by_s3fs, QUESTIONS[0])] if server and size <= _SMALL else []
    steps += [(verifying, f"sealed-{size}"), (batching, before)]
    for step, option in steps:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:  # its memory is its own
            yield {"step": step.__name__} | process.submit(step, uri, server, size, option).result()


# Steps, each in a process of its own


class _Timed(EvaluationLedger):
    """A ledger that notes what each record took to write."""

    seconds: list[float]

    def put(self, inputs: JsonObject, *arguments: Any, **named: Any) -> StoredEvaluation:
        began = time.perf_counter()
        stored = super().put(inputs, *arguments, **named)
        self.seconds.append(time.perf_counter() - began)
        return stored


def writing(uri: str, server: int | None, size: int, span: tuple[int, int]) -> dict[str, Any]:
    """Claim what is to be measured and keep what was, as the driver of a run does; these of all there will be."""
    ledger = _Timed(open_ledger(uri).store)
    run, claimed, kept, ledger.seconds = open_made_up(ledger), [], [], []
    sharing = Sharing(run, take=_unexpected)
    with _Usage(server) as usage:
        for chunk in _candidates(*span):
            told = list(measurements(run, *chunk))
            handed_out = sharing.hand_out([finished.work for finished in told])
            for finished in told:
                with usage.counted():
                    began = time.perf_counter()
                    next(handed_out)
                    between = time.perf_counter()
                    sharing.finished(finished)
                    claimed.append((between - began) / OBJECTIVES)
                    kept.append((time.perf_counter() - between) / OBJECTIVES)
    return {
        **usage.told(len(ledger.seconds)),
        "put_ms": _spread(ledger.seconds),
        "claim_ms": _spread(claimed),
        "keep_ms": _spread(kept),
        "share_of_1_s": statistics.fmean(claimed) + statistics.fmean(kept),
        "bytes_a_record": _bytes(run),
    }


def _unexpected(known: Evaluation) -> None:
    raise AssertionError(f"{known.key} was there before it was measured")


def filling(uri: str, server: int | None, size: int, before: int) -> dict[str, Any]:
    """Keep the rest in threads side by side; the making of what they keep is not counted."""
    run = open_made_up(open_ledger(uri))
    with _Usage(server) as usage, ThreadPoolExecutor(_THREADS) as threads:
        for chunk in _candidates(before, size):
            finished = list(measurements(run, *chunk))
            with usage.counted():
                list(threads.map(run.keep, finished))
    return usage.told(size - before)


def resuming(uri: str, server: int | None, size: int, requests: int | None) -> dict[str, Any]:
    """Find all records again, as a resumed run does, so many requests a question."""
    run, found, hashing = open_made_up(open_ledger(uri)), 0, 0.0
    with _Usage(server) as usage:
        for chunk in _candidates(0, size, requests or size):
            asked = question(run, *chunk)
            with usage.counted():
                began = time.perf_counter()
                wanted = run.requests(asked)
                hashing += time.perf_counter() - began
                found += len(run.recall(wanted))
    assert found == size, f"{found} of {size} were found"
    return {"question": requests or size, "keys_s": hashing, **usage.told(size)}


def resuming_by_s3fs(uri: str, server: int | None, size: int, requests: int | None) -> dict[str, Any]:
    """The same, every object by a request of s3fs."""
    remote_objects.FEWEST = size + 1  # type: ignore[attr-defined]
    return resuming(uri, server, size, requests)


def verifying(uri: str, server: int | None, size: int, run_id: str) -> dict[str, Any]:
    """Seal a run that rests on all records, and verify it."""
    run = open_made_up(open_ledger(uri), run_id)
    keys = _keys(run, size)
    run.folder.create(run.frozen)
    with _Usage(server) as sealing, sealing.counted():
        run.folder.seal(run.ledger, keys)
    with _Usage(server) as checking, checking.counted():
        problems = RunFolder(run.folder.store, run_id).verify(run.ledger)
    assert not problems, problems[:3]
    return {"seal": sealing.told(size), **checking.told(size)}


def batching(uri: str, server: int | None, size: int, before: int) -> dict[str, Any]:
    """Write all records again in batches, read all of them, and find one."""
    run = open_made_up(open_ledger(uri))
    store, keys, written, packed = run.ledger.store, _keys(run, size), 0, 0
    numbers = range(-(-size // batches.BATCH))
    with _Usage(server) as writing_them:
        for number in range(before // batches.BATCH, len(numbers)):
            some = keys[number * batches.BATCH : (number + 1) * batches.BATCH]
            known = list(run.ledger.each(some))
            with writing_them.counted():
                records = dict(map(batches.record, known))
                written += batches.write(store, number, records)
            packed += len(zlib.compress(b"".join(records.values())))
    with _Usage(server) as reading, reading.counted():
        count = sum(1 for _ in batches.read_all(store, numbers))
    assert count == size
    chosen = keys[:: max(1, size // _LOOKS)][:_LOOKS]
    finding, getting = [], []
    for key in chosen:
        began = time.perf_counter()
        assert batches.find(store, numbers, key) is not None
        finding.append(time.perf_counter() - began)
        began = time.perf_counter()
        assert run.ledger.get(key) is not None
        getting.append(time.perf_counter() - began)
    return {
        "write": writing_them.told(size - before),
        "read": reading.told(size),
        "find_one_ms": _spread(finding),
        "get_one_record_ms": _spread(getting),
        "bytes_a_record": written / (size - before),
        "bytes_a_record_compressed": packed / (size - before),
    }


# What they share


class _Usage:
    """Seconds and memory of what is done in `counted`; the memory is the peak above what was there before."""

    def __init__(self, server: int | None) -> None:
        self._server = None if server is None else psutil.Process(server)
        self._sums = np.zeros(3)
        self._memory = 0

    def __enter__(self) -> Self:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
        self._memory = _memory("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self._memory = _memory("VmHWM") - self._memory

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is done in a `with` block."""
        before = self._now()
        yield
        self._sums += self._now() - before

    def told(self, records: int) -> dict[str, float]:
        """Return the sums."""
        wall, own, server = self._sums.tolist()
        told = {"wall_s": wall, "processor_s": own, "records_per_s": records / wall, "memory_mb": self._memory / 1e6}
        return told if self._server is None else {**told, "server_s": server}

    def _now(self) -> NDArray[np.float64]:
        server = 0.0 if self._server is None else sum(self._server.cpu_times()[:2])
        return np.array([time.perf_counter(), time.process_time(), server])


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(name)))


def _spread(seconds: list[float]) -> dict[str, float]:
    median, most = (1e3 * float(np.quantile(seconds, share)) for share in (0.5, 0.95))
    return {"median": median, "p95": most, "mean": 1e3 * statistics.fmean(seconds)}


def _candidates(first: int, last: int, requests: int = 1000) -> Iterator[tuple[int, int]]:
    """Cut the candidates of these records up, so many records a piece."""
    for start in range(first // OBJECTIVES, last // OBJECTIVES, requests // OBJECTIVES):
        yield start, min(start + requests // OBJECTIVES, last // OBJECTIVES)


def _keys(run: Run, size: int) -> list[str]:
    return [request.key for request in run.requests(question(run, 0, size // OBJECTIVES))]


def _bytes(run: Run) -> float:
    written = run.folder.store.written("evaluations").values()
    return statistics.fmean(about.size for about in written)


@contextlib.contextmanager
def _store(kind: str) -> Iterator[tuple[str, int | None]]:
    """Yield the URI of an empty store and its server's process id."""
    if kind == "local":
        with tempfile.TemporaryDirectory() as folder:
            yield folder, None
    else:
        with tempfile.TemporaryDirectory() as folder, Seaweed(Path(folder)) as server:
            os.environ.update(server.environment())  # by which the processes of the steps find it
            yield server.uri(), server.pid


if __name__ == "__main__":
    main()
