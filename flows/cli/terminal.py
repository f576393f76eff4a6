"""Where results are printed: a terminal, a pipe or a file."""

import sys

from rich.console import Console

_PIPE_WIDTH = 160


def terminal() -> Console:
    """Fit a terminal; a pipe or a file has no width, there nothing is folded that a terminal would show whole."""
    return Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
