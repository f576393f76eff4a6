"""The runs of a store at a glance: what each of them is, where it stands, what it cost and what came out."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from mapmerge.errors import IntegrityError, RunError
from mapmerge.ledger.canonical import parse_object
from mapmerge.ledger.lease import Sign
from mapmerge.ledger.references import MANIFEST, STUDY, batches, by_run, read_manifest
from mapmerge.ledger.store import Store, Written

State = Literal["complete", "running", "stopped", "damaged"]
_RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run of a store; what is unknown, or not known yet, is None.

    Args:
        run_id: its name.
        uri: where it is.
        state: `complete`, `running`, `stopped` half-way or `damaged`.
        why: one sentence: who drives it, why it does not go on, or what is wrong; None for a complete one.
        created: when it began, UTC.
        study: name of its study.
        method: of its study.
        sealed: when it was completed, UTC.
        evaluations: how many evaluations its result rests on.
        paid: how many of them it measured itself.
        front_points: how many points its front has.
        hypervolume: of its front, normalised.
    """

    run_id: str
    uri: str
    state: State
    why: str | None
    created: str
    study: str | None = None
    method: str | None = None
    sealed: str | None = None
    evaluations: int | None = None
    paid: int | None = None
    front_points: int | None = None
    hypervolume: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def find_store(uri: str) -> Store:
    """Return a store that exists: what holds runs or evaluations.

    Args:
        uri: as `Store` takes it.

    Raises:
        RunError: there is none, or a single run; says what to give.
    """
    store = Store(uri)
    if store.exists(STUDY):
        whole = store.uri.rpartition("/runs/")[0]
        raise RunError(f"{uri}: this is a single run, not a store of runs; give {whole or 'the folder of its runs/'}")
    try:
        is_there = bool(store.list("runs") or store.list("evaluations"))
    except FileNotFoundError:  # not even a bucket
        is_there = False
    if not is_there:
        raise RunError(f"{uri}: there is no store here (neither runs/ nor evaluations/ holds anything); check the URI")
    return store


def list_runs(store: Store) -> list[RunSummary]:
    """Return the runs of a store, the newest last; a damaged one says so and stops nobody.

    Quick also where there are many: the files of a complete run are compared with its manifest by their sizes, and
    study and result, which are read, by their hashes. `RunFolder.verify` hashes everything.
    """
    written = store.written("runs")
    runs = by_run(written)
    found = []
    for batch in batches(runs):
        contents = store.read_many(f"runs/{run_id}/{name}" for run_id in batch for name in _telling(runs[run_id]))
        for run_id in batch:
            start = f"runs/{run_id}/"
            sizes = {name: written[start + name] for name in runs[run_id]}
            read = {name: contents[start + name] for name in sizes if start + name in contents}
            found.append(_summary(run_id, f"{store.uri}/runs/{run_id}", sizes, read))
    return sorted(found, key=lambda run: (run.created, run.run_id))


def _telling(names: list[str]) -> list[str]:
    """Return the files of a run that tell where it stands."""
    begun = [name for name in names if name.startswith("events/")][:1]
    leases = [name for name in names if name.startswith("leases/")][-1:]
    return [name for name in (STUDY, MANIFEST, _RESULT) if name in names] + begun + leases


def _summary(run_id: str, uri: str, files: Mapping[str, Written], read: Mapping[str, bytes]) -> RunSummary:
    known = RunSummary(run_id, uri, "damaged", None, _created(files, read))
    try:
        if STUDY not in read:
            raise IntegrityError(f"{STUDY} is missing")
        match parse_object(read[STUDY], STUDY):
            case {"config": {"name": str(name), "method": str(method)}}:
                known = replace(known, study=name, method=method)
        return _complete(known, files, read) if MANIFEST in read else _half(known, read)
    except IntegrityError as error:
        return replace(known, why=str(error))


def _complete(known: RunSummary, files: Mapping[str, Written], read: Mapping[str, bytes]) -> RunSummary:
    manifest = read_manifest(read[MANIFEST], known.run_id, MANIFEST)
    sealed, here = manifest["files"], set(files) - {MANIFEST}
    wrong = [f"{name} is missing" for name in sealed if name not in here]
    wrong += [
        f"{name} was changed" for name in sealed if name in here and not _is_same(sealed[name], name, files, read)
    ]
    wrong += [f"{name} was added" for name in here if name not in sealed and not name.startswith("leases/")]
    if wrong:
        raise IntegrityError(f"file {min(wrong)}; `mapmerge verify {known.uri}` tells more")
    when = manifest.get("sealed")
    known = replace(
        known,
        state="complete",
        sealed=when if isinstance(when, str) else None,
        evaluations=len(manifest["evaluations"]),
    )
    match parse_object(read[_RESULT], _RESULT) if _RESULT in read else {}:
        case {"evaluations": int(paid), "front": list(front), "hypervolume": {"value": int() | float() as volume}}:
            return replace(known, paid=paid, front_points=len(front), hypervolume=float(volume))
    return known


def _is_same(sealed: Any, name: str, files: Mapping[str, Written], read: Mapping[str, bytes]) -> bool:
    match sealed:
        case {"sha256": str(digest), "size": int(size)} if size == files[name].size:
            return name not in read or hashlib.sha256(read[name]).hexdigest() == digest
    return False


def _half(known: RunSummary, read: Mapping[str, bytes]) -> RunSummary:
    leases = [data for name, data in read.items() if name.startswith("leases/")]
    if not leases:
        return replace(known, state="stopped", why=f"it was never begun; {_resume(known)}")
    sign = Sign.read(leases[0])
    who = "another process" if sign.owner is None else str(sign.owner)
    if sign.is_living():
        return replace(known, state="running", why=f"driven by {who}")
    if sign.released:
        why = f"{who} gave it up before the end"
    elif sign.owner is not None and sign.owner.is_dead():
        why = f"{who} ended before the run did"
    elif sign.beat is not None:
        why = f"no sign of life of {who} since {_utc(sign.beat)}"
    else:
        why = "its lease cannot be read"
    return replace(known, state="stopped", why=f"{why}; {_resume(known)}")


def _resume(known: RunSummary) -> str:
    return f"go on by `mapmerge resume {known.uri}`"


def _created(files: Mapping[str, Written], read: Mapping[str, bytes]) -> str:
    """Return when a run began: as its first event says, else when the oldest of its files was written."""
    for name, data in read.items():
        if name.startswith("events/"):
            try:
                return _utc(datetime.fromisoformat(str(parse_object(data, name).get("time"))).timestamp())
            except (IntegrityError, ValueError, OverflowError):
                break
    return _utc(files[STUDY].time if STUDY in files else min(each.time for each in files.values()))


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
