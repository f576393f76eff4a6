"""The files of one study: local ones where they are; of S3 checkpoints are read in place, others copied and kept."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from mapmerge.cache import cache_folder
from mapmerge.checkpoints.header import check_header
from mapmerge.checkpoints.open import WEIGHTS, Checkpoint, open_checkpoint, require_weights
from mapmerge.errors import BadInputError, MapmergeError, MissingFileError, StoreRefusedError
from mapmerge.files.objects import RemoteObject, find, is_remote, listed
from mapmerge.files.weights import RemoteWeights
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.s3_answers import name as code_of
from mapmerge.shelf import Held, Shelf

_PATIENCE = Patience()
_RIGHTS = ("403", "AccessDenied", "AllAccessDisabled")


class StudyFiles:
    """Where the files are that a study names: paths relative to its folder, or URIs on S3.

    A checkpoint on S3 is read in place. Any other object is copied to the shelf of this machine when it is asked for,
    unless that has the same version of it already, and stays there at least as long as this object lives. A URI names
    the same version for all that time.

    Args:
        root: the folder that relative paths start at.
        patience: how long S3 is waited for.
    """

    def __init__(self, root: Path, *, patience: Patience = _PATIENCE) -> None:
        self.root, self._patience = root, patience
        self._copies: dict[str, Path] = {}
        self._weights: dict[str, RemoteObject] = {}
        self._held: list[Held] = []

    def path(self, location: str, key: str) -> Path:
        """Return a file as a path on this machine.

        Args:
            location: a path or a URI.
            key: of the study that names it, for messages.

        Raises:
            ConfigError: neither a path nor a URI of S3, or there is no room for a copy.
            MissingFileError: S3 has no such object. Local files are not looked for.
            StoreRefusedError: S3 does not let us in.
        """
        with self._about(key, location):
            if not is_remote(location):
                return self._local(location)
            if location not in self._copies:
                self._copies[location] = self._copy(find(location, self._patience))
            return self._copies[location]

    def checkpoint(self, location: str, key: str) -> Checkpoint:
        """Open a checkpoint: a safetensors file, or a folder that holds `model.safetensors`; see `path`.

        Of one on S3 only the header is read now.

        Raises:
            CheckpointError: it is no safetensors file, or a damaged one.
        """
        with self._about(key, location):
            if not is_remote(location):
                return open_checkpoint(self._local(location))
            if location not in self._weights:
                self._weights[location] = self._find_weights(location)
            found = self._weights[location]
            return Checkpoint(RemoteWeights(found), check_header(found.uri, found.size, found.read))

    def beside(self, location: str, name: str, limit: int) -> bytes | None:
        """Return at most `limit` bytes of a small file beside a checkpoint, if there is one."""
        if not is_remote(location):
            given = self._local(location)
            path = (given.parent if given.name == WEIGHTS else given) / name
            return path.read_bytes()[:limit] if path.is_file() else None
        folder = location.rstrip("/").removesuffix(f"/{WEIGHTS}")
        if folder == location.rstrip("/") and location.endswith(".safetensors"):
            return None
        try:
            found = find(f"{folder}/{name}", self._patience)
        except MissingFileError:
            return None
        return found.read(0, min(found.size, limit))

    def options(self, options: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return options with every text that is a URI on S3 replaced by the path of a copy; see `path`."""
        return {name: self._option(value, f"{key}.{name}") for name, value in options.items()}

    @contextmanager
    def naming(self, key: str) -> Iterator[None]:
        """Let errors of those who were given a copy speak of the URI, and of the key of the study that names it."""
        try:
            yield
        except BadInputError as error:
            text = str(error)
            for uri, path in self._copies.items():
                text = text.replace(str(path), uri)
            if text == str(error):
                raise
            raise type(error)(f"{key}: {text}") from error

    def _local(self, location: str) -> Path:
        try:
            return self.root / Path(location).expanduser()
        except RuntimeError:  # "~somebody" who is not known here
            return self.root / location

    def _option(self, value: Any, key: str) -> Any:
        if isinstance(value, str) and value.startswith("s3://"):
            return str(self.path(value, key))
        if isinstance(value, Mapping):
            return {name: self._option(each, f"{key}.{name}") for name, each in value.items()}
        if isinstance(value, list):
            return [self._option(each, f"{key}.{index}") for index, each in enumerate(value)]
        return value

    def _find_weights(self, location: str) -> RemoteObject:
        try:
            return find(location, self._patience)
        except MissingFileError:
            names = listed(location, self._patience)
            if not names:
                raise
            require_weights(location, names)
            return find(f"{location.rstrip('/')}/{WEIGHTS}", self._patience)

    def _copy(self, found: RemoteObject) -> Path:
        name = _file_name(found.uri)

        def is_whole(entry: Path) -> bool:
            try:
                return (entry / name).stat().st_size == found.size
            except FileNotFoundError:
                return False

        version = json.dumps([found.server, found.uri, found.etag, found.size])
        key = hashlib.sha256(version.encode()).hexdigest()
        held = Shelf(cache_folder()).keep(key, found.size, lambda draft: found.copy(draft / name), is_whole)
        self._held.append(held)
        return held.path / name

    @contextmanager
    def _about(self, key: str, location: str) -> Iterator[None]:
        """Say which key of the study named what cannot be had."""
        try:
            yield
        except StoreRefusedError as error:
            if error.__cause__ is not None and code_of(error.__cause__) in _RIGHTS:
                raise StoreRefusedError(
                    f"{key}: {location}: expected to be let in, came {code_of(error.__cause__)}; the credentials must "
                    "be right, and allow to read this object and to list its folder; check AWS_ACCESS_KEY_ID, "
                    "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE"
                ) from error
            raise StoreRefusedError(f"{key}: {error}") from error
        except MapmergeError as error:
            if "://" not in location:
                raise
            raise type(error)(f"{key}: {error}") from error


def _file_name(uri: str) -> str:
    """Return what a copy is called: as the object, so that messages and endings stay what they are.

    >>> _file_name("s3://bucket/items/search.json"), _file_name("s3://bucket/.."), _file_name("s3://bucket/a b")
    ('search.json', 'object', 'a b')
    """
    name = PurePosixPath(uri).name
    return name if re.fullmatch(r"[A-Za-z0-9_ =+@%-][A-Za-z0-9_ =+@%.-]{0,199}", name) else "object"
