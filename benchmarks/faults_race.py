"""Two drivers that want the same run at the same moment: exactly one gets it, and the other is told who did."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.faults_driver import Driver
from benchmarks.faults_episode import RUN, SECONDS
from benchmarks.faults_parts import Parts
from benchmarks.faults_plan import ALONE, CLUSTER
from benchmarks.faults_study import write_study
from mapmerge.errors import RunError
from mapmerge.ledger.runs import RunFolder, find_run
from mapmerge.ledger.store import Store

BEFORE = ("nobody", "given back", "killed")
"""Who held the run before: nobody yet, somebody who gave it back, or a process that was killed while it held it."""

_HOLD = """
import sys, time
from mapmerge.ledger.runs import find_run
with find_run(sys.argv[1]).lease():
    print(flush=True)
    time.sleep(600)
"""


def race_for_leases(stores: Mapping[str, str], each: int) -> dict[str, Any]:
    """Let two processes take the same lease, again and again.

    Args:
        stores: URIs by where they are; a remote one must be reachable by the variables of this process.
        each: races in each store.
    """
    spawn = multiprocessing.get_context("spawn")
    line = spawn.Barrier(2)
    ends = [spawn.Pipe() for _ in range(2)]
    racers = [spawn.Process(target=_racer, args=(theirs, line), daemon=True) for _, theirs in ends]
    for racer in racers:
        racer.start()
    lanes = [ours for ours, _ in ends]
    held, named, races = [], 0, 0
    for uri in stores.values():
        for number in range(each):
            before = BEFORE[number % 3]
            if before == "nobody":
                run = RunFolder(Store(uri), f"race-{number}")
                run.create({"name": "race"})
            elif before == "killed":
                _hold_and_die(run.uri)
            for lane in lanes:
                lane.send(run.uri)
            answers = [lane.recv() for lane in lanes]
            winners = [racer.pid for racer, answer in zip(racers, answers, strict=True) if answer is None]
            held.append(len(winners))
            named += sum(answer is not None and f"process {winners[:1][0]} on" in answer for answer in answers)
            races += 1
            for lane in lanes:
                lane.send(None)
                lane.recv()
    for lane, racer in zip(lanes, racers, strict=True):
        lane.send("")
        racer.join()
    return {
        "stores": list(stores),
        "races": races,
        "exactly_one": sum(count == 1 for count in held),
        "loser_named_winner": named,
    }


def race_commands(parts: Parts, count: int) -> dict[str, Any]:
    """Let two `mapmerge resume` begin together, on a run whose driver was killed.

    Args:
        parts: what the runs stand on.
        count: races; they alternate between the sites that are open.
    """
    proceeded, refused, named = [], 0, 0
    sites = [site for site in (ALONE, CLUSTER) if site in parts.sites]
    for number in range(count):
        site = sites[number % len(sites)]
        folder = parts.folder / f"race-{number}"
        study = write_study(folder, seconds=SECONDS[site], seed=number)
        output = f"{parts.disk}/race-{number}" if site == ALONE else parts.s3.uri()
        environment = {**parts.environment(site), **(parts.s3.environment() if site == CLUSTER else {})}

        def drive(name: str, *words: object, at: Path = folder, to: Path = study) -> Driver:
            return Driver(words, environment, to, at / f"{name}.err")  # noqa: B023

        first = drive("first", "run", study, "--output", output, "--run-id", RUN)
        while first.lives and first.marks() < 6:
            time.sleep(0.02)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        pair = [drive(name, "resume", f"{output}/runs/{RUN}") for name in ("one", "two")]
        for driver in pair:
            driver.process.wait()
        winners = [driver for driver in pair if driver.code == 0]
        losers = [driver for driver in pair if driver.code == 2]
        proceeded.append(len(winners))
        refused += len(losers)
        words = [f"is held by process {winner.process.pid} on" for winner in winners]
        named += sum(any(word in loser.said() for word in words) for loser in losers)
    return {
        "races": count,
        "exactly_one": sum(one == 1 for one in proceeded),
        "loser_exit_code_2": refused,
        "loser_named_winner": named,
    }


def _racer(lane: Connection, line: Any) -> None:
    """Take the lease of each run that comes, together with the other one; say None, or why not."""
    while uri := lane.recv():
        lease = find_run(uri).lease()
        line.wait()
        try:
            with lease:
                lane.send(None)
                lane.recv()
        except RunError as error:
            lane.send(str(error))
            lane.recv()
        lane.send("over")


def _hold_and_die(uri: str) -> None:
    """Let a process take a lease, and kill it."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, uri], stdout=subprocess.PIPE, env=os.environ)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.communicate()
