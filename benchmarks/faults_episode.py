"""One episode: a run that meets fault after fault until it is complete, and what is left of it then."""

import json
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.faults_driver import Driver
from benchmarks.faults_parts import Parts
from benchmarks.faults_plan import ALONE, CLUSTER, ENDING, STARTING, Fault
from benchmarks.faults_study import ACTORS, IN_FLIGHT, PEAKS, write_study
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store

RUN = "faults"
SECONDS = {ALONE: 0.2, CLUSTER: 0.4}
"""What a measurement takes, so that a run lasts long enough for several faults."""

_TOO_MANY = 5
_START_S, _PUBLISH_S, _HANGS_S = 8.0, 0.5, 240.0
_NO_SCIENCE = ("run_uri", "run_id", "seconds", "provenance")


@dataclass(slots=True)
class Injected:
    """A fault that hit.

    Args:
        fault: which.
        session: of how many drivers the hit one was the last.
        when: `starting`, `measuring` or `ending`.
        known: records that were there.
        exit_code: of the driver, None where it went on.
        said: its last line, where it ended by itself.
        goes_on_s: until something was measured again, or the run was complete.
    """

    fault: Fault
    session: int
    when: str
    known: int
    exit_code: int | None = None
    said: str = ""
    goes_on_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        rest = {name: value for name, value in asdict(self).items() if name != "fault"}
        return {"kind": self.fault.kind, "moment": round(self.fault.moment, 3), **rest}

    def in_flight(self) -> int:
        """Return how many evaluations it may have taken at most: those that were handed out and not recorded."""
        if self.fault.site == ALONE:
            return len(PEAKS)
        if self.exit_code is not None:
            return IN_FLIGHT * len(PEAKS)
        share = {"actor": 1, "node": 1, "raylet": ACTORS}.get(self.fault.kind, 0)
        return share * IN_FLIGHT // ACTORS * len(PEAKS)


class Episode:
    """A run of its own over the real parts.

    Args:
        number: of the episode.
        seed: of the study.
        site: where it runs.
        parts: what it stands on.
    """

    def __init__(self, number: int, seed: int, site: str, parts: Parts) -> None:
        parts.open(site)
        self._site, self._parts = site, parts
        self._folder = parts.folder / f"episode-{number}"
        self._study = write_study(self._folder, seconds=SECONDS[site], seed=seed)
        self._output = f"{parts.disk}/{number}" if site == ALONE else parts.s3.uri()
        if site != ALONE:
            os.environ.update(parts.s3.environment())  # this process looks past the proxy
        self._run = RunFolder(Store(self._output), RUN)
        self._known: dict[str, bytes] = {}
        self.number, self.sessions, self.missed, self.changed = number, 0, 0, 0
        self.injected: list[Injected] = []
        self.wrong: list[str] = []
        self._open: list[tuple[Injected, float, int]] = []

    def go(self, faults: deque[Fault], most: int) -> None:
        """Drive the run to its end through the faults that come first, at most so many; what hits nothing goes back."""
        try:
            self._meet(faults, most)
        finally:
            self._driver.process.kill()  # of an episode that was stopped

    def check(self, undisturbed: Mapping[str, Any]) -> dict[str, Any]:
        """Compare what is left with an undisturbed run.

        Args:
            undisturbed: the result of the same study.
        """
        self._look()
        ledger = EvaluationLedger(self._run.store)
        records = [key for key in self._run.store.list("evaluations") if "quarantine" not in key]
        marks = sum(1 for _ in (self._folder / "marks").iterdir())
        found = {
            "episode": self.number,
            "site": self._site,
            "sessions": self.sessions,
            "faults": len(self.injected),
            "missed": self.missed,
            "records": len(records),
            "lost_records": self.changed + len(set(self._known) - set(records)),
            "corrupt_front": science(self._result) != science(undisturbed) or bool(self._run.verify(ledger)),
            "repeated": marks - len(records),
            "in_flight": sum(one.in_flight() for one in self.injected),
            "wrong": self.wrong,
        }
        print(f"episode {self.number}: {found}", flush=True)
        return found

    def _meet(self, faults: deque[Fault], most: int) -> None:
        driver = self._drive()
        while True:
            fault = faults.popleft() if faults and len(self.injected) < most else None
            if not self._reaches(fault, driver):
                if fault is not None:
                    came_too_late = driver.code == 0 and fault.moment >= ENDING
                    faults.appendleft(fault.later() if came_too_late else fault)
                if driver.code == 0 and self._told(driver):
                    break
                self._note_end(driver)
                driver = self._drive()
                continue
            assert fault is not None
            self._look()
            began, when = time.monotonic(), self._when(driver)
            if self._parts.inject(fault, driver):
                self.injected.append(one := Injected(fault, self.sessions, when, len(self._known)))
                print(f"  {fault.number}: {fault.kind}, {when}, {one.known} records known", flush=True)
                self._open.append((one, began, driver.marks()))
            else:
                self.missed += 1
                faults.append(fault.later())
        for one, began, _ in self._open:
            one.goes_on_s = round(time.monotonic() - began, 1)

    def _told(self, driver: Driver) -> bool:
        """Read the result, which is all that a driver says on stdout."""
        try:
            self._result = json.loads(driver.out())
        except ValueError:
            self.wrong.append(f"session {self.sessions}: there is more than the result on stdout: {driver.out()[:200]}")
            self._result = self._run.get_json("result")
        return True

    def _drive(self) -> Driver:
        self.sessions += 1
        log = self._folder / f"session-{self.sessions}.err"
        if self._run.files.exists("study.json"):
            asked: list[object] = ["resume", self._run.uri.removeprefix("file://"), "--json"]
        else:
            asked = ["run", self._study, "--output", self._output, "--run-id", RUN, "--json"]
        asked += self._parts.arguments(self._site)
        self._driver = driver = Driver(asked, self._parts.environment(self._site), self._study, log)
        self._open = [(one, began, driver.marks_before) for one, began, _ in self._open]
        return driver

    def _reaches(self, fault: Fault | None, driver: Driver) -> bool:
        """Wait for the moment of a fault; False where the driver ends before."""
        moment = 2.0 if fault is None else fault.moment
        is_new = driver.marks() == driver.marks_before
        more = 1 + int(10 * max(0.0, moment - STARTING) / (ENDING - STARTING))
        until, still, moved = driver.marks() + more, driver.marks(), time.monotonic()
        while driver.lives:
            now, marks = time.monotonic(), driver.marks()
            if marks != still:
                still, moved = marks, now
                self._goes_on(marks)
            if moment < STARTING and is_new:
                reached = now - driver.begun > _START_S * moment / STARTING
            elif moment > ENDING:
                reached = fault is not None and "\npublish" in driver.said()
            else:
                reached = marks >= until
            if reached and fault is not None:
                over = _PUBLISH_S * (moment - ENDING) / (1 - ENDING) if moment > ENDING else 0.3 * fault.size
                return not driver.ends_within(over)
            if now - moved > _HANGS_S:
                self.wrong.append(f"session {self.sessions} hangs:\n{driver.stacks()}")
                driver.process.kill()
            time.sleep(0.01)
        return False

    def _when(self, driver: Driver) -> str:
        if driver.marks() == driver.marks_before:
            return "starting"
        return "ending" if "\npublish" in driver.said() else "measuring"

    def _goes_on(self, marks: int) -> None:
        for one, began, before in self._open:
            if marks > before:
                one.goes_on_s = round(time.monotonic() - began, 1)
        self._open = [entry for entry in self._open if entry[0].goes_on_s is None]

    def _note_end(self, driver: Driver) -> None:
        """Write down how a driver ended that must be resumed: by the fault before."""
        lines = driver.said().strip().splitlines()
        if self.injected and self.injected[-1].session == self.sessions:
            last = self.injected[-1]
            last.exit_code = driver.code
            words = lines[-1] if lines and driver.code != -9 else ""
            last.said = words.replace(str(self._parts.folder), "…")[:300]
        else:
            self.wrong.append(f"session {self.sessions} ended with code {driver.code} without a fault: {lines[-1:]}")
            if len(self.wrong) > _TOO_MANY:
                raise RuntimeError(f"episode {self.number} comes to no end: {self.wrong}")
        if "Traceback" in driver.said():
            self.wrong.append(f"session {self.sessions} showed a traceback, its last line: {lines[-1]}")
        if driver.code not in (1, -9):
            self.wrong.append(f"session {self.sessions} ended with code {driver.code}: {lines[-1:]}")

    def _look(self) -> None:
        """Remember what records are there, and count those that are not what they were."""
        store = self._run.store
        keys = [key for key in store.list("evaluations") if "quarantine" not in key]
        found = store.read_many(keys)
        self.changed += sum(found[key] != data for key, data in self._known.items() if key in found)
        self._known |= found


def science(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run found, without when and where it was computed."""
    return {key: value for key, value in result.items() if key not in _NO_SCIENCE}
