"""What the runs of a store need of its evaluations, so that nobody removes it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mapmerge.errors import IntegrityError
from mapmerge.ledger.canonical import parse_checked, parse_object
from mapmerge.ledger.runs import SCHEMA
from mapmerge.ledger.store import LIMIT, Store

STUDY, MANIFEST = "study.json", "manifest.json"
BATCH = 64
"""Runs, or records, that are read at a time: side by side, but never a whole store in memory."""


@dataclass(frozen=True, slots=True)
class Family:
    """The models that a run merges: base and experts by their fingerprints."""

    base: str
    experts: frozenset[str]

    def covers(self, inputs: Any) -> bool:
        """Tell whether a measurement may be of a merge of these models; True where that cannot be read."""
        match inputs:
            case {"base": str(base), "experts": list(pairs)}:
                return base == self.base and all(self._has(pair) for pair in pairs)
        return True

    def _has(self, pair: Any) -> bool:
        match pair:
            case [str(expert), _]:
                return expert in self.experts
        return True


@dataclass(slots=True)
class References:
    """What the runs of a store need.

    What a run that is not complete will ask follows from its study and from all answers up to then, so it is not
    enumerated: it may need every measurement of its family, on whatever items and by whatever evaluator.

    Args:
        complete: ids of the complete runs.
        evaluations: keys of the evaluations that complete runs rest on.
        families: by run id, the models of each run that is not complete.
        unknown: by run id, why it cannot be told what the run needs; while there is one, everything is needed.
    """

    complete: set[str] = field(default_factory=set)
    evaluations: set[str] = field(default_factory=set)
    families: dict[str, Family] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def by_run(keys: Iterable[str]) -> dict[str, list[str]]:
    """Return the files of each run, relative to its folder and in the order given, by run id.

    >>> by_run(["runs/a/leases/1.json", "runs/a/study.json", "runs/notes.txt"])
    {'a': ['leases/1.json', 'study.json']}
    """
    found: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        match key.split("/", 2):
            case ["runs", run_id, name]:
                found[run_id].append(name)
    return dict(found)


def batches(things: Iterable[str]) -> Iterator[list[str]]:
    """Yield all things in the order given, `BATCH` at a time.

    >>> [len(batch) for batch in batches(map(str, range(100)))]
    [64, 36]
    """
    listed = list(things)
    for start in range(0, len(listed), BATCH):
        yield listed[start : start + BATCH]


def read_manifest(data: bytes, run_id: str, where: str) -> dict[str, Any]:
    """Return the manifest of a run, whose `files` and `evaluations` are objects.

    Args:
        data: what was read, not trusted.
        run_id: the run that it was found in.
        where: the URI, for the message.

    Raises:
        IntegrityError: it is not the manifest of this run.
    """
    if len(data) > LIMIT:
        raise IntegrityError(f"{where}: expected at most {LIMIT} bytes, there are more")
    manifest = parse_checked(data, where)
    match manifest:
        case {"schema": schema, "run_id": named, "files": dict(), "evaluations": dict()} if (
            schema == SCHEMA and named == run_id
        ):
            return manifest
    raise IntegrityError(f"{where}: is not a manifest of run {run_id!r} with schema {SCHEMA}")


def read_references(store: Store, runs: Mapping[str, list[str]]) -> References:
    """Read what runs need, from the manifests of complete runs and the studies of the others.

    Args:
        store: where they are.
        runs: what `by_run` gives; a run that was sealed since then counts as not complete.
    """
    needed = References()
    for batch in batches(runs):
        keys = {run_id: f"runs/{run_id}/{MANIFEST if MANIFEST in runs[run_id] else STUDY}" for run_id in batch}
        found = store.read_many(keys.values())
        for run_id, key in keys.items():
            try:
                if key not in found:
                    raise IntegrityError(f"{store.uri}/{key}: is missing")
                if key.endswith(MANIFEST):
                    manifest = read_manifest(found[key], run_id, f"{store.uri}/{key}")
                    needed.evaluations.update(manifest["evaluations"])
                    needed.complete.add(run_id)
                else:
                    needed.families[run_id] = _family(found[key], f"{store.uri}/{key}")
            except IntegrityError as error:
                needed.unknown[run_id] = str(error)
    return needed


def _family(study: bytes, where: str) -> Family:
    match parse_object(study, where):
        case {"inputs": {"base": str(base), "experts": dict(experts)}} if all(
            isinstance(fingerprint, str) for fingerprint in experts.values()
        ):
            return Family(base, frozenset(experts.values()))
    raise IntegrityError(f"{where}: does not say which models the run merges")
