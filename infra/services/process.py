"""Processes by their id: whether it is still the one that was meant, and how it ends with all that it started."""

import json
import signal
from pathlib import Path
from typing import Any

import psutil

GRACE_S = 15.0
"""How long a server may take to end by itself before it is killed."""


def remember(path: Path, process: psutil.Process, ports: dict[str, int]) -> None:
    """Write down which process serves, and on which ports."""
    content = {"pid": process.pid, "created": process.create_time(), "ports": ports}
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def recall(path: Path) -> tuple[psutil.Process, dict[str, int]] | None:
    """Return the process that was written down and its ports, or None where it has ended.

    A process id is given away again when its process has ended: only with the same start is it the one that was meant.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        process = psutil.Process(content["pid"])
        if process.create_time() != content["created"] or not is_alive(process):
            return None
    except (FileNotFoundError, ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return process, content["ports"]


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process still runs; a dead child that nobody has asked for is not alive."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(process: psutil.Process, how: signal.Signals, grace: float = GRACE_S) -> None:
    """End a process and all that it started; whoever does not heed the signal in time is killed.

    Args:
        process: whose children get the signal only if they outlive it.
        how: the signal; SIGKILL takes all of them at once.
        grace: seconds.
    """
    tree = [process]
    try:
        tree += process.children(recursive=True)
        process.send_signal(how)
    except psutil.NoSuchProcess:
        pass
    if how != signal.SIGKILL:
        psutil.wait_procs([process], timeout=grace)
    for each in tree:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=GRACE_S)
