"""The folder of one run: what was asked, what happened, what came out, and whether it is whole."""

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from mapmerge.errors import IntegrityError, RunError
from mapmerge.ledger.canonical import canonical_json, parse_checked, parse_object, with_checksum
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.lease import Lease
from mapmerge.ledger.store import LIMIT, Store
from mapmerge.records import JsonObject

SCHEMA = "mapmerge/run/1"
_STUDY, _MANIFEST = "study.json", "manifest.json"
_NO_RESULT = (_MANIFEST, "leases/")
RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_KIND = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_EVENT_KEY = re.compile(r"events/([0-9]{6,9})-[a-z0-9-]+\.json")
_EVENT: Mapping[str, type] = {"number": int, "kind": str, "time": str, "payload": dict}
_FAILURE: Mapping[str, type] = {"key": str, "error": str, "attempts": int, "details": dict}
_URI = re.compile(r"(?:(?P<store>.*)/)?runs/(?P<run>[^/]+)/?")


class RunFolder:
    """One run, at `runs/<run id>/` of a store; its evaluations are in the ledger of the same store.

    Args:
        store: the store that holds the runs and the evaluations.
        run_id: lower-case letters, digits and dashes, at most 63, starting with a letter or digit.

    Raises:
        RunError: another run id.

    >>> run = RunFolder(Store("memory://runs-doctest"), "first")
    >>> run.create({"name": "digits"})
    >>> run.put_json("result", {"points": 3})
    >>> run.seal(EvaluationLedger(run.store), [])
    >>> run.is_complete(), run.verify(EvaluationLedger(run.store))
    (True, [])
    """

    def __init__(self, store: Store, run_id: str) -> None:
        if not RUN_ID.fullmatch(run_id):
            raise RunError(
                f"run id {run_id!r}: expected lower-case letters, digits and dashes, at most 63, "
                "starting with a letter or digit"
            )
        self.store, self.run_id = store, run_id
        self.files = store.child(f"runs/{run_id}")
        """The run's folder as a store of its own, for files that are no JSON objects, such as the report."""
        self._events: int | None = None
        self._appending = threading.Lock()

    @property
    def uri(self) -> str:
        """The run's URI, as `open_run` takes it."""
        return self.files.uri

    def create(self, study: JsonObject) -> None:
        """Take the run id, for good.

        Args:
            study: the study as JSON.

        Raises:
            RunError: the run id is taken.
        """
        if not self.files.create(_STUDY, canonical_json(study)):
            raise RunError(
                f"{self.uri}: there already is a run of this id; go on with it by `mapmerge resume {self.uri}`, "
                "or choose another run id"
            )

    def study(self) -> dict[str, Any]:
        """Return the study as it was created.

        Raises:
            MissingFileError: there is no such run.
            IntegrityError: the file is no JSON object.
        """
        return self._get(_STUDY)

    def put_json(self, name: str, value: JsonObject) -> None:
        """Write `<name>.json`, in the place of what was there.

        Raises:
            ValueError: a name that the run folder keeps to itself, or values that are no JSON.
        """
        key = f"{name}.json"
        if key in (_STUDY, _MANIFEST) or key.startswith(("leases/", "events/", "failures/")):
            raise ValueError(f"expected the name of a file of your own, came {name!r}, which the run folder writes")
        self.files.replace(key, canonical_json(value))

    def get_json(self, name: str) -> dict[str, Any]:
        """Return what `put_json` wrote.

        Raises:
            MissingFileError: there is no such file.
            IntegrityError: it is no JSON object.
        """
        return self._get(f"{name}.json")

    def record_failure(self, key: str, *, error: str, attempts: int, details: JsonObject) -> bool:
        """Record that an evaluation was given up; the first record of a key stands.

        Args:
            key: the evaluation's key.
            error: one line that says why.
            attempts: how often it was tried.
            details: what the reader should know, such as coefficients, objective and split.

        Returns:
            Whether this call wrote it.
        """
        failure = {"key": key, "error": error, "attempts": attempts, "details": dict(details)}
        return self.files.create(f"failures/{key}.json", canonical_json(failure))

    def failures(self) -> list[dict[str, Any]]:
        """Return the failures, sorted by key: `key`, `error`, `attempts`, `details`.

        Raises:
            IntegrityError: one is none.
        """
        return self._get_all("failures", _FAILURE)

    def append_event(self, kind: str, payload: JsonObject) -> None:
        """Append what happened as `events/<number>-<kind>.json`, to be called by the holder of the lease.

        Args:
            kind: lower-case words joined by dashes, such as `round-finished`.
            payload: anything JSON.

        Raises:
            ValueError: another kind.
        """
        if not _KIND.fullmatch(kind):
            raise ValueError(f"expected an event kind of lower-case words joined by dashes, came {kind!r}")
        with self._appending:
            if self._events is None:
                numbers = [match[1] for match in map(_EVENT_KEY.fullmatch, self.files.list("events")) if match]
                self._events = max(map(int, numbers), default=0)
            written = False
            while not written:
                self._events += 1
                event = {"number": self._events, "kind": kind, "time": _now(), "payload": dict(payload)}
                written = self.files.create(f"events/{self._events:06d}-{kind}.json", canonical_json(event))

    def events(self) -> list[dict[str, Any]]:
        """Return what happened, in order: `number`, `kind`, `time`, `payload`.

        Raises:
            IntegrityError: a file is no event.
        """
        return self._get_all("events", _EVENT)

    def lease(self, *, beat: float = 5.0, stale_after: float = 30.0) -> Lease:
        """Return a context manager that holds the run; see `Lease`."""
        return Lease(self.files.child("leases"), beat=beat, stale_after=stale_after)

    def seal(self, ledger: EvaluationLedger, keys: Iterable[str]) -> None:
        """Write the manifest, which makes the run complete; nothing of the run may change from then on.

        Args:
            ledger: where the run's evaluations are.
            keys: of all evaluations that the run's result rests on.

        Raises:
            RunError: the run is sealed already, or an evaluation is not in the ledger.
        """
        wanted = sorted(set(keys))
        checksums = {stored.key: stored.checksum for stored in ledger.each(wanted)}
        missing = [key for key in wanted if key not in checksums]
        if missing:
            raise RunError(
                f"{self.uri}: {len(missing)} of {len(wanted)} evaluations are not in the ledger, the first is "
                f"{missing[0]}; measure them again by `mapmerge resume {self.uri}`"
            )
        manifest = {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "sealed": _now(),
            "files": self._hashes(),
            "evaluations": checksums,
        }
        if not self.files.create(_MANIFEST, canonical_json(with_checksum(manifest))):
            raise RunError(f"{self.uri}: the run is complete already; start another one to change anything")

    def is_complete(self) -> bool:
        """Tell whether the run was sealed; `verify` tells whether it still is what was sealed."""
        return self.files.exists(_MANIFEST)

    def verify(self, ledger: EvaluationLedger) -> list[str]:
        """Compare the run's files and evaluations with the manifest; changes nothing.

        Returns:
            One sentence for each that is missing, changed or extra; none where all is well.
        """
        if not self.is_complete():
            return [f"{_MANIFEST} is missing: the run is not complete"]
        try:
            manifest = parse_checked(self.files.read(_MANIFEST), f"{self.uri}/{_MANIFEST}")
        except IntegrityError as error:
            return [f"{_MANIFEST} is damaged: {error}"]
        files, evaluations = manifest.get("files"), manifest.get("evaluations")
        named = manifest.get("schema") == SCHEMA and manifest.get("run_id") == self.run_id
        if not (named and isinstance(files, dict) and isinstance(evaluations, dict)):
            return [f"{_MANIFEST} is not a manifest of run {self.run_id!r} with schema {SCHEMA}"]
        return [*_differences(files, self._hashes()), *ledger.check(evaluations)]

    def require_whole(self, ledger: EvaluationLedger) -> None:
        """Check that every file and every evaluation is what the manifest says.

        Raises:
            IntegrityError: lists what is not.
        """
        if problems := self.verify(ledger):
            count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
            raise IntegrityError("\n".join([f"{self.uri}: {count}", *(f"  {problem}" for problem in problems)]))

    def _hashes(self) -> dict[str, dict[str, Any]]:
        keys = [key for key in self.files.list() if not key.startswith(_NO_RESULT)]
        hashes = {}
        for key, data in self.files.read_each(keys):
            if len(data) > LIMIT:
                raise RunError(f"{self.uri}/{key}: expected files of at most {LIMIT} bytes in a run folder")
            hashes[key] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        return hashes

    def _get(self, key: str) -> dict[str, Any]:
        return parse_object(self.files.read(key), f"{self.uri}/{key}")

    def _get_all(self, folder: str, kinds: Mapping[str, type]) -> list[dict[str, Any]]:
        found = []
        for key, data in self.files.read_each(self.files.list(folder)):
            value = parse_object(data, f"{self.uri}/{key}")
            wrong = [name for name, kind in kinds.items() if not isinstance(value.get(name), kind)]
            if wrong:
                raise IntegrityError(
                    f"{self.uri}/{key}: expected {', '.join(kinds)}; {', '.join(wrong)} is not as written"
                )
            found.append(value)
        return found


def find_run(uri: str) -> RunFolder:
    """Return a run that exists, complete or not: what `mapmerge resume` starts from.

    Args:
        uri: `<store>/runs/<run id>`.

    Raises:
        RunError: no such URI, or no run there.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise RunError(f"{uri}: expected the URI of a run, <store>/runs/<run id>")
    store = "." if match["store"] is None else match["store"] or "/"
    run = RunFolder(Store(store), match["run"])
    if not run.files.exists(_STUDY):
        raise RunError(f"{uri}: there is no run here ({_STUDY} is missing); check the URI")
    return run


def open_run(uri: str) -> RunFolder:
    """Return a complete run, to read from.

    Args:
        uri: `<store>/runs/<run id>`.

    Raises:
        RunError: no run, or half of one.
    """
    run = find_run(uri)
    if not run.is_complete():
        raise RunError(f"{uri}: this is half of a run ({_MANIFEST} is missing); finish it by `mapmerge resume {uri}`")
    return run


def _differences(sealed: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    problems = [f"file {key} is missing" for key in sealed if key not in present]
    problems += [f"file {key} was changed" for key in sealed if key in present and sealed[key] != present[key]]
    return problems + [f"file {key} was added" for key in present if key not in sealed]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
