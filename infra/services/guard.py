"""Ends a server when the process that started it has ended, however it did.

    python -m infra.services.guard FILE SIGNAL

It reads from a pipe whose other end the parent alone has: the end of that pipe is the end of the parent.
"""

import signal
import sys
from pathlib import Path

from infra.services.process import end, recall

if __name__ == "__main__":
    sys.stdin.buffer.read()
    if found := recall(Path(sys.argv[1])):
        end(found[0], signal.Signals(int(sys.argv[2])))
