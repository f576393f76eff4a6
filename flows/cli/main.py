"""Start a command and turn its errors into words and exit codes."""

import logging
import os
import sys
from collections.abc import Sequence

from flows.cli.parser import build_parser
from mapmerge.errors import BadInputError, MapmergeError


class _Terminal(logging.Handler):
    """Tells what the library warns of while a command goes on, such as a store that is away."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"mapmerge: {record.getMessage()}", file=sys.stderr, flush=True)


_TERMINAL = _Terminal(logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done, 1 the run failed, 2 the input cannot be used, 130 interrupted.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.version:
        from importlib.metadata import version

        print(f"mapmerge {version('mapmerge')}")
        return 0
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    logging.getLogger("mapmerge").addHandler(_TERMINAL)
    from flows.cli import commands  # knows every command; each command imports what it needs

    try:
        code = commands.execute(options)
        sys.stdout.flush()
        return code
    except BadInputError as error:
        print(f"mapmerge: {error}", file=sys.stderr)
        return 2
    except MapmergeError as error:
        print(f"mapmerge: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mapmerge: interrupted; a run goes on with `mapmerge resume RUN`", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        # What is still buffered must go somewhere, or Python complains when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
