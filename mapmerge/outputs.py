"""Where runs go, and how one is named, unless somebody says more."""

import os
from pathlib import Path


def default_output() -> str:
    """Return where runs and evaluations go when nobody says: `MAPMERGE_OUTPUT`, or `mapmerge-output` here."""
    return os.environ.get("MAPMERGE_OUTPUT", "mapmerge-output")


def run_uri(name: str) -> str:
    """Return the URI of a run that is given by its URI, its folder, or its id under the default output.

    >>> run_uri("s3://bucket/runs/a")
    's3://bucket/runs/a'
    """
    if "://" in name or "/" in name or Path(name).is_dir():
        return name
    return f"{default_output()}/runs/{name}"
