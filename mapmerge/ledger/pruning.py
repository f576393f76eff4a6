"""Remove what no run of a store needs any more, and nothing else."""

import re
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from mapmerge.errors import FailedRunError, IntegrityError, RunError
from mapmerge.ledger.canonical import parse_object
from mapmerge.ledger.lease import Lease
from mapmerge.ledger.record import RECORD_LIMIT
from mapmerge.ledger.references import Family, batches, by_run, read_references
from mapmerge.ledger.store import Store

Kind = Literal["evaluation", "quarantined", "lease", "claim"]
Need = Literal["complete runs", "unfinished runs", "unknown runs", "young"]

_LEASE = "pruning"
_SIDE_BY_SIDE = 16
_RECORD = re.compile(r"evaluations/([0-9a-f]{2})/(\1[0-9a-f]{62})\.json")
_QUARANTINED = re.compile(r"evaluations/quarantine/[0-9a-f]{64}-[0-9a-f]{8}\.json")
_CLAIM = re.compile(r"claims/([0-9a-f]{2})/\1[0-9a-f]{62}\.json")
_RUN_LEASE = re.compile(r"leases/[0-9]+\.json")


@dataclass(frozen=True, slots=True)
class Unneeded:
    """One object that nobody needs.

    Args:
        key: where it lies in the store.
        kind: an `evaluation` that no run references, one that was `quarantined`, the `lease` of a complete run,
            or a `claim` that a driver which was killed has left.
        size: bytes.
    """

    key: str
    kind: Kind
    size: int


@dataclass(slots=True)
class PrunePlan:
    """What pruning removes, and why it leaves the rest.

    Args:
        remove: what goes, sorted by key.
        kept: how many evaluations stay, by who needs them: `complete runs`; `unfinished runs`, which may ask for them;
            `unknown runs`, of which it cannot be told; nobody, but they are `young`.
        unfinished: ids of the runs that are not complete.
        unknown: by run id, why it cannot be told what a run needs.
    """

    remove: list[Unneeded] = field(default_factory=list)
    kept: dict[Need, int] = field(
        default_factory=lambda: {"complete runs": 0, "unfinished runs": 0, "unknown runs": 0, "young": 0}
    )
    unfinished: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all that goes."""
        return sum(each.size for each in self.remove)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "objects": [{"key": each.key, "kind": each.kind, "bytes": each.size} for each in self.remove],
            "bytes": self.size,
            "kept": {name.replace(" ", "_"): count for name, count in self.kept.items()},
            "unfinished": self.unfinished,
            "unknown": self.unknown,
        }


def plan_pruning(store: Store, older_than: float, *, now: float | None = None) -> PrunePlan:
    """Find what no run needs; changes nothing.

    An evaluation is needed if a complete run's manifest names it, or if it may be of a merge of the models of a run
    that is not complete (`References`). While there is a run of which it cannot be told what it needs, all are. Of the
    leases of a complete run the last one stays: by its number a process that was suspended learns that it lost the run.

    Args:
        store: a store of runs.
        older_than: seconds; what was written later stays, whoever needs it.
        now: seconds since 1970; by default this machine's clock.
    """
    latest = (time.time() if now is None else now) - older_than
    # First what there is, then who needs it: what a run writes in between is not looked at.
    present = store.written("evaluations")
    files = store.written("runs")
    runs = by_run(files)
    needed = read_references(store, runs)
    plan = PrunePlan(unfinished=sorted(needed.families), unknown=dict(sorted(needed.unknown.items())))
    orphans = []
    for key, written in present.items():
        if record := _RECORD.fullmatch(key):
            if record[2] in needed.evaluations:
                plan.kept["complete runs"] += 1
            elif written.time > latest:
                plan.kept["young"] += 1
            else:
                orphans.append(key)
        elif _QUARANTINED.fullmatch(key) and written.time <= latest and not needed.unknown:
            plan.remove.append(Unneeded(key, "quarantined", written.size))
    asked = set(orphans) if needed.unknown else _asked(store, orphans, needed.families.values())
    plan.kept["unknown runs" if needed.unknown else "unfinished runs"] = len(asked)
    plan.remove += [Unneeded(key, "evaluation", present[key].size) for key in orphans if key not in asked]
    for run_id in needed.complete:
        leases = [f"runs/{run_id}/{name}" for name in runs[run_id] if _RUN_LEASE.fullmatch(name)]
        plan.remove += [Unneeded(key, "lease", files[key].size) for key in leases[:-1] if files[key].time <= latest]
    for key, written in store.written("claims").items():
        if _CLAIM.fullmatch(key) and written.time <= latest:
            plan.remove.append(Unneeded(key, "claim", written.size))
    plan.remove.sort(key=lambda each: each.key)
    return plan


def prune(
    store: Store, older_than: float, *, tell: Callable[[PrunePlan], None] | None = None, now: float | None = None
) -> PrunePlan:
    """Remove what no run needs, while no run begins: one that is created meanwhile waits (`pruned_by`).

    Args:
        store: a store of runs.
        older_than: seconds; what was written later stays, whoever needs it.
        tell: called with what will be removed, before it is.
        now: seconds since 1970; by default this machine's clock.

    Returns:
        What was removed.

    Raises:
        RunError: somebody else prunes this store, or took over.
        FailedRunError: something could not be removed.

    >>> prune(Store("memory://pruning-doctest"), older_than=7 * 86400.0).remove
    []
    """
    if (who := pruned_by(store)) is not None:
        raise RunError(f"{store.uri}: is being pruned by {who}; wait for it")
    with Lease(store.child(_LEASE)) as lease:
        plan = plan_pruning(store, older_than, now=now)
        if tell is not None:
            tell(plan)
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as threads:
            for batch in batches(each.key for each in plan.remove):
                lease.check()
                try:
                    list(threads.map(store.delete, batch))
                except OSError as error:
                    raise FailedRunError(
                        f"{store.uri}: not everything could be removed ({error}); prune again"
                    ) from error
    return plan


def pruned_by(store: Store) -> str | None:
    """Say who prunes a store, None where nobody does: a run that was just created looks, and waits for it.

    Whoever prunes takes this lease first and then looks which runs there are; a run is created first and then looks for
    the lease. So of the two at least one sees the other, and nothing is removed that a new run has found.
    """
    return Lease(store.child(_LEASE)).holder()


def _asked(store: Store, keys: Iterable[str], families: Collection[Family]) -> set[str]:
    """Return the records that a run of one of these families may ask for; one that cannot be read may be any."""
    asked: set[str] = set()
    for key, data in store.read_each(keys if families else (), limit=RECORD_LIMIT):
        try:
            inputs = parse_object(data, key).get("inputs")
        except IntegrityError:
            inputs = None
        if any(family.covers(inputs) for family in families):
            asked.add(key)
    return asked
