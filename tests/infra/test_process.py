"""Processes that were written down: the same one, another one with its number, none."""

import json
import signal
import subprocess
import sys

import psutil

from infra.services.process import end, is_alive, recall, remember


def sleeper(code="import time; time.sleep(600)"):
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    return psutil.Process(child.pid), child


def test_a_process_is_recalled_while_it_is_the_same(tmp_path):
    process, child = sleeper()
    note = tmp_path / "process.json"
    remember(note, process, {"a": 1})
    found, ports = recall(note)
    assert (found.pid, ports) == (child.pid, {"a": 1})
    written = json.loads(note.read_text())
    note.write_text(json.dumps({**written, "created": written["created"] - 5}))  # its number was given to another one
    assert recall(note) is None
    note.write_text(json.dumps(written))
    end(process, signal.SIGTERM)
    assert recall(note) is None
    child.wait()
    note.write_text("half of a")
    assert recall(note) is None
    assert recall(tmp_path / "none") is None


def test_who_does_not_heed_is_killed_with_its_children():
    child_code = "import time; print(flush=True); time.sleep(600)"
    code = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", {child_code!r}])
time.sleep(600)
"""
    process, child = sleeper(code)
    child.stdout.readline()
    tree = [process, *process.children(recursive=True)]
    assert len(tree) == 2
    end(process, signal.SIGTERM, grace=0.2)
    assert not any(is_alive(each) for each in tree)
    child.wait()
