"""The command line, script `mapmerge`."""

from flows.cli.main import main

__all__ = ["main"]
