"""Give one reader hostile inputs, in a process of its own, and write down what came of them.

`benchmarks.hostile` starts it; by hand: python -m benchmarks.hostile_reader READER spoilt|guided INPUTS SEED OUT.json
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType

KEPT = 10
"""Inputs that made a reader crash, and that are kept."""

_PATIENCE = 30
"""Seconds after which a read is broken off."""


class Hang(BaseException):
    """A read that does not end; no `except Exception` takes it away."""


class Tally:
    """What a reader did with its inputs."""

    def __init__(self, reader: object) -> None:
        self.reader: object = reader
        self.inputs = self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self.kept: list[dict[str, str]] = []
        self.slowest = 0.0
        for example in reader.examples:  # type: ignore[attr-defined]
            reader.read(example)  # type: ignore[attr-defined]
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
        self.baseline = _peak()

    def read(self, data: bytes) -> None:
        """Read one input, timed in seconds of the processor, which do not depend on what else runs."""
        from mapmerge.errors import MapmergeError

        self.inputs += 1
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
        began = time.process_time()
        try:
            self.reader.read(data)  # type: ignore[attr-defined]
            self.accepted += 1
        except MapmergeError as error:
            self.refused[type(error).__name__] += 1
        except (Exception, Hang) as error:
            self.crashes[type(error).__name__] += 1
            if len(self.kept) < KEPT:
                self.kept.append({"error": repr(error)[:300], "hex": data[:4096].hex()})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.slowest = max(self.slowest, time.process_time() - began)

    def write(self, out: Path) -> None:
        """Write the tally as JSON."""
        found = {
            "inputs": self.inputs,
            "accepted": self.accepted,
            "refused": dict(sorted(self.refused.items())),
            "crashes": dict(sorted(self.crashes.items())),
            "crash_inputs": self.kept,
            "slowest_s": self.slowest,
            "memory_mb": (_peak() - self.baseline) / 1e6,
        }
        out.write_text(json.dumps(found), encoding="utf-8")


def main() -> None:
    name, how, count, seed, out = sys.argv[1:]
    signal.signal(signal.SIGALRM, _give_up)
    give = _spoilt if how == "spoilt" else _guided
    give(name, int(count), int(seed), Path(out))


def _spoilt(name: str, count: int, seed: int, out: Path) -> None:
    from benchmarks.hostile_inputs import READERS, mutated
    from mapmerge.randomness import generator

    target, rng = READERS[name](_folder(out)), generator(seed, "hostile", name)
    tally = Tally(target)
    for bomb in target.bombs():
        tally.read(bomb)
    while tally.inputs < count:
        tally.read(mutated(target, rng))
    tally.write(out)


def _guided(name: str, count: int, seed: int, out: Path) -> None:
    import atheris
    import numpy as np

    with atheris.instrument_imports(include=["mapmerge", "yaml"]):
        from benchmarks.hostile_inputs import READERS

        target = READERS[name](_folder(out))
    tally = Tally(target)
    corpus = _folder(out)
    for index, example in enumerate(target.examples):
        (corpus / str(index)).write_bytes(example)

    def one(data: bytes) -> None:
        tally.read(data)
        if tally.inputs == count:  # the fuzzer does not come back
            tally.write(out)
            os._exit(0)

    def mutate(data: bytes, most: int, drawn: int) -> bytes:
        if drawn % 2:  # half of the steps keep the form, so that what lies behind the parser is reached too
            with contextlib.suppress(Exception):  # most of what the fuzzer made has no form left
                spoilt = target.spoil(data, np.random.default_rng(drawn))
                return spoilt if len(spoilt) <= most else data
        mutated: bytes = atheris.Mutate(data, most)
        return mutated

    longest = max(map(len, target.examples)) * 2
    options = [f"-seed={seed + 1}", f"-max_len={longest}", "-len_control=0", "-timeout=0", "-rss_limit_mb=0"]
    atheris.Setup([name, *options, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def _folder(out: Path) -> Path:
    """Return a new folder beside the tally, whose folder goes when it has been read."""
    return Path(tempfile.mkdtemp(dir=out.parent))


def _peak() -> int:
    """Return the most bytes of memory that this process ever had resident."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def _give_up(signum: int, frame: FrameType | None) -> None:
    raise Hang(f"no end after {_PATIENCE} s")


if __name__ == "__main__":
    main()
