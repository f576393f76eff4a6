"""Where a machine keeps what can be made or downloaded again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder for downloaded data and task matrices of this machine.

    `$MAPMERGE_CACHE` where it is set, otherwise `mapmerge` in `$XDG_CACHE_HOME`, otherwise `~/.cache/mapmerge`.

    Returns:
        The folder; it need not exist, and may be removed whenever nothing runs.
    """
    if chosen := os.environ.get("MAPMERGE_CACHE"):
        return Path(chosen).expanduser()
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "mapmerge"
    return Path.home() / ".cache" / "mapmerge"
