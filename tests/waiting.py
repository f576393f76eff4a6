"""Waiting for what other processes do."""

import time


def wait_for(condition, what):
    """Return what a condition gives once that is true; fail with what has not come about for minutes."""
    until = time.monotonic() + 240
    while not (found := condition()):
        assert time.monotonic() < until, what
        time.sleep(0.1)
    return found
