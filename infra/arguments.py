"""The arguments and the manners that `infra.up`, `infra.down`, `infra.status` and `infra.smoke` share."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from infra.services.service import ServiceError

FOLDER = Path(".mapmerge")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser for the folder that the servers are in."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--folder", type=Path, default=FOLDER, help="for all that the servers keep (default %(default)s)")
    return made


def run(main: Callable[[], int]) -> None:
    """End this process as a command does: with its exit code, and with what is wrong in words."""
    try:
        sys.exit(main())
    except ServiceError as error:
        sys.exit(f"error: {error}")


def row(*cells: object) -> str:
    """Return a line of a table: what, how it is, where."""
    return "{:<20} {:<10} {}".format(*cells)
