"""A campaign of faults over real parts: what is lost, repeated or changed when anything dies?

    python -m benchmarks.faults --faults 200 --seed 0 --out FILE.json

Runs go on through SIGKILLs of their driver, of Ray actors, nodes and the Ray head, of the Prefect server, of PostgreSQL
under it and of the S3 server, through answers of S3 that are refused, late or cut, and through a full disk, until each
is complete. Each is compared with an undisturbed run of the same study. Only faults that hit something are counted,
others are tried again later. Then two drivers at a time want the same run. Needs the S3 server of
`pip install -e '.[dev]'`, PostgreSQL and Linux; a full disk also the right to mount one. Ends with exit code 1 where a
limit is broken.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count as count_from
from pathlib import Path
from typing import Any

from benchmarks.faults_driver import Driver
from benchmarks.faults_episode import Episode, Injected
from benchmarks.faults_parts import Parts, may_mount
from benchmarks.faults_plan import ALONE, CLUSTER, KINDS, MEANT, draw
from benchmarks.faults_race import race_commands, race_for_leases
from benchmarks.faults_study import write_study
from benchmarks.machine import write

STUDIES = 3
"""Different studies that the episodes of a long campaign take in turn; each is compared with an undisturbed run."""

AN_EPISODE = 20
"""Most faults of one episode."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--kinds", default=",".join(KINDS), help="names with commas between them")
    parser.add_argument("--races", type=int, default=50, help="for a lease, on S3 and in a folder together")
    parser.add_argument("--commands", type=int, default=6, help="races of two `mapmerge resume`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="keep all files in this new folder")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    kinds = tuple(options.kinds.split(","))
    left_out = {} if may_mount() else {"disk full": "no right to mount a small disk"}
    with ExitStack() as stack:
        folder = options.keep
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mapmerge-faults-")))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL may run as another user
        parts = Parts(folder, stack)
        begun = time.monotonic()
        episodes: list[dict[str, Any]] = []
        injected: list[Injected] = []
        races: dict[str, dict[str, Any]] = {}
        stopped = None
        try:
            possible = tuple(set(kinds) - left_out.keys())
            for one, hit in campaign(parts, options.seed, options.faults, possible):
                episodes.append(one)
                injected += hit
            races = {"leases": _race(parts, options.races), "commands": race_commands(parts, options.commands)}
        except (RuntimeError, KeyboardInterrupt) as error:  # what was found until then is worth keeping
            stopped = f"{type(error).__name__}: {error}"
        seconds = round(time.monotonic() - begun)
    summary = summed(episodes, injected, races)
    about = {"seed": options.seed, "seconds": seconds, "left_out": left_out, "stopped": stopped, "kinds": MEANT}
    faults = [one.to_json() for one in injected]
    write(options.out, "faults", {"faults": faults, "episodes": episodes}, **about, races=races, summary=summary)
    if broken := [*summary["broken"], *([stopped] if stopped else [])]:
        print(f"broken: {'; '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def campaign(
    parts: Parts, seed: int, count: int, kinds: Sequence[str]
) -> Iterator[tuple[dict[str, Any], list[Injected]]]:
    """Inject faults into runs until so many have hit; yield what became of every run, and the faults that hit it."""
    drawn = draw(seed, count, tuple(kind for kind in KINDS if kind in kinds))
    queues = {site: deque(fault for fault in drawn if fault.site == site) for site in (ALONE, CLUSTER)}
    truths: dict[int, Any] = {}
    studies = min(STUDIES, 1 + count // 50)
    for number in count_from(1):
        left = [site for site in queues if queues[site]]
        if not left:
            return
        site, of = min(left, key=lambda site: queues[site][0].number), number % studies
        if of not in truths:
            truths[of] = _undisturbed(parts, of)
        episode = Episode(number, of, site, parts)
        episode.go(queues[site], AN_EPISODE)
        yield episode.check(truths[of]), episode.injected


def summed(episodes: list[dict[str, Any]], injected: list[Injected], races: dict[str, Any]) -> dict[str, Any]:
    """Add everything up, and name the limits that are broken."""
    kinds = []
    for kind in KINDS:
        hit = [one for one in injected if one.fault.kind == kind]
        ended = Counter(str(one.exit_code) for one in hit if one.exit_code is not None)
        waits = [one.goes_on_s for one in hit if one.goes_on_s is not None]
        if hit:
            kinds.append(
                {
                    "kind": kind,
                    "hit": len(hit),
                    "when": dict(sorted(Counter(one.when for one in hit).items())),
                    "driver_went_on": len(hit) - ended.total(),
                    "exit_codes": dict(sorted(ended.items())),
                    "goes_on_s_median": round(statistics.median(waits), 1) if waits else None,
                    "goes_on_s_longest": max(waits, default=None),
                }
            )
    totals = {name: sum(each[name] for each in episodes) for name in _ADDED}
    limits = {
        "lost records": totals["lost_records"] > 0,
        "corrupt fronts": totals["corrupt_front"] > 0,
        "repeated evaluations": any(each["repeated"] > each["in_flight"] for each in episodes),
        "drivers that hang, fail by themselves or show a traceback": any(each["wrong"] for each in episodes),
        "races": any(race["exactly_one"] < race["races"] for race in races.values()),
    }
    broken = [name for name, is_broken in limits.items() if is_broken]
    return {"faults": len(injected), "runs": len(episodes), **totals, "by_kind": kinds, "broken": broken}


_ADDED = ("sessions", "missed", "records", "lost_records", "corrupt_front", "repeated", "in_flight")


def _undisturbed(parts: Parts, seed: int) -> Any:
    """Return the result of a study that nothing gets in the way of."""
    folder = parts.folder / f"undisturbed-{seed}"
    study = write_study(folder, seconds=0.0, seed=seed)
    asked = ["run", study, "--output", folder / "out", "--run-id", "whole", "--json"]
    driver = Driver(asked, parts.common, study, folder / "session.err")
    if driver.process.wait() != 0:
        raise RuntimeError(f"the undisturbed run failed: {driver.said()}")
    return json.loads(driver.out())


def _race(parts: Parts, count: int) -> dict[str, Any]:
    """Race for leases in each kind of store that is there."""
    stores = {"folder": str(parts.folder / "races")}
    if CLUSTER in parts.sites:
        stores["s3"] = parts.s3.uri()
    return race_for_leases(stores, -(-count // len(stores)))


if __name__ == "__main__":
    sys.exit(main())
