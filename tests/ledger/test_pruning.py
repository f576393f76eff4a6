"""Pruning removes what no run needs, never what one may need, whatever happened in the store before."""

import time
from datetime import UTC, datetime
from uuid import uuid4

import fsspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import FailedRunError, RunError
from mapmerge.ledger.claims import Claims
from mapmerge.ledger.evaluations import EvaluationLedger, evaluation_inputs, evaluation_key
from mapmerge.ledger.lease import Lease
from mapmerge.ledger.pruning import plan_pruning, prune, pruned_by
from mapmerge.ledger.runs import RunFolder
from mapmerge.ledger.store import Store

DAY = 86_400.0
GRACE = 7 * DAY
LATER = time.time() + 1000 * DAY
"""A moment at which all that a test writes is old."""


def study(base, *experts):
    """What a run freezes of its study, as far as pruning reads it."""
    return {"inputs": {"base": base, "experts": {f"name of {expert}": expert for expert in experts}}}


def measurement(base="b", metric="accuracy", **coefficients):
    return evaluation_inputs(
        architecture={},
        base=base,
        experts=list(coefficients),
        coefficients=list(coefficients.values()),
        method="task_arithmetic",
        dtype="float32",
        evaluator="classification",
        version="1",
        identity={"metric": metric},
    )


def measure(store, inputs, run="first"):
    return EvaluationLedger(store).put(inputs, np.ones(3, dtype=np.float32), seconds=0, device="cpu", run=run).key


def path(key):
    return f"evaluations/{key[:2]}/{key}.json"


def removed(plan):
    return {each.key for each in plan.remove}


def complete(store, run_id, keys, *, base="b"):
    run = RunFolder(store, run_id)
    run.create(study(base, "e", "f"))
    with run.lease():
        run.append_event("started", {})
        run.seal(EvaluationLedger(store), keys)
    return run


def unfinished(store, run_id, base, *experts):
    run = RunFolder(store, run_id)
    run.create(study(base, *experts))
    return run


def test_what_no_run_references_goes_after_the_grace_time(store):
    needed, orphan = measure(store, measurement(e=0.5)), measure(store, measurement(e=0.75))
    run = complete(store, "first", [needed])
    assert prune(store, GRACE).remove == []
    plan = prune(store, GRACE, now=LATER)
    assert [(each.key, each.kind) for each in plan.remove] == [(path(orphan), "evaluation")]
    assert plan.size == plan.remove[0].size > 100
    assert (plan.kept["complete runs"], plan.kept["young"]) == (1, 0)
    assert not store.exists(path(orphan))
    assert run.verify(EvaluationLedger(store)) == []
    assert prune(store, GRACE, now=LATER).remove == []


def test_an_unfinished_run_keeps_every_measurement_of_its_models(store):
    mine = [
        measure(store, inputs)
        for inputs in (
            measurement(),
            measurement(e=0.5),
            measurement(e=0.1, f=0.2),
            measurement(e=0.5, metric="cross_entropy"),
            {**measurement(e=0.5), "repeat": 2},
        )
    ]
    others = [measure(store, inputs) for inputs in (measurement(base="c", e=0.5), measurement(e=0.5, g=0.5))]
    unfinished(store, "half", "b", "e", "f")
    plan = prune(store, GRACE, now=LATER)
    assert removed(plan) == {path(key) for key in others}
    assert plan.unfinished == ["half"]
    assert plan.kept["unfinished runs"] == len(mine)
    assert EvaluationLedger(store).get_many(mine).keys() == set(mine)


@pytest.mark.parametrize("data", [b"{", b"{}", b'{"inputs": {"base": "b", "experts": [3]}}'])
def test_a_record_that_cannot_be_read_may_be_anybodys(store, data):
    key = path("a" * 64)
    store.create(key, data)
    half = unfinished(store, "half", "b", "e")
    assert prune(store, GRACE, now=LATER).remove == []
    for name in half.files.list():
        half.files.delete(name)
    assert removed(prune(store, GRACE, now=LATER)) == {key}


UNKNOWN = {
    "damaged manifest": lambda store: complete(store, "odd", []).files.replace("manifest.json", b"{}"),
    "damaged study": lambda store: unfinished(store, "odd", "b").files.replace("study.json", b"{"),
    "study without models": lambda store: RunFolder(store, "odd").create({"config": {}}),
    "models that are none": lambda store: RunFolder(store, "odd").create(study("b", 3)),
    "no study": lambda store: store.create("runs/odd/leases/000001.json", b"{}"),
    "manifest of another run": lambda store: store.create(
        "runs/odd/manifest.json", complete(store, "first", []).files.read("manifest.json")
    ),
    "name that no run has": lambda store: store.create("runs/odd/notes/read.me", b""),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_while_it_cannot_be_told_what_a_run_needs_everything_stays(store, case):
    key = measure(store, measurement(e=0.5))
    store.create(f"evaluations/quarantine/{key}-01234567.json", b"{")
    UNKNOWN[case](store)
    plan = prune(store, GRACE, now=LATER)
    assert plan.remove == []
    assert list(plan.unknown) == ["odd"]
    assert plan.kept["unknown runs"] == 1


def test_quarantined_records_go_too_and_foreign_files_stay(store):
    foreign = ["evaluations/notes.txt", "evaluations/quarantine/notes.txt", f"evaluations/aa/{'b' * 64}.json", "x.json"]
    for key in foreign:
        store.create(key, b"{}")
    key = measure(store, measurement(e=0.5))
    store.replace(path(key), b"{")
    assert EvaluationLedger(store).get(key) is None
    (quarantined,) = [name for name in store.list("evaluations/quarantine") if key in name]
    unfinished(store, "half", "b", "e")
    assert removed(prune(store, GRACE, now=LATER)) == {quarantined}
    assert set(foreign) <= set(store.list())


def test_leases_of_complete_runs_go_but_for_the_last(store):
    run, half = complete(store, "first", []), unfinished(store, "half", "b")
    for folder in (run, half):
        for _ in range(2):
            with folder.lease():
                pass
    assert removed(prune(store, GRACE, now=LATER)) == {f"runs/first/leases/00000{number}.json" for number in (1, 2)}
    assert run.files.list("leases") == ["leases/000003.json"]
    assert len(half.files.list("leases")) == 2


def test_a_plan_is_what_is_then_done(store):
    for number in range(3):
        measure(store, measurement(e=number + 0.5))
    complete(store, "first", [])
    before = store.written()
    plan, told = plan_pruning(store, GRACE, now=LATER), []
    assert store.written() == before
    done = prune(store, GRACE, now=LATER, tell=lambda plan: told.append((plan, set(store.list()))))
    assert done == plan == told[0][0]
    assert set(before) <= told[0][1]  # first said, then done
    assert set(before) - set(store.list()) == removed(plan)
    assert len(plan.remove) == 3


def test_only_one_prunes_and_a_new_run_can_see_it(store):
    measure(store, measurement(e=0.5))
    seen = []
    assert pruned_by(store) is None
    prune(store, GRACE, tell=lambda plan: seen.append(pruned_by(store)))
    assert "process" in seen[0]
    assert pruned_by(store) is None
    with Lease(store.child("pruning")), pytest.raises(RunError, match="is being pruned by process"):
        prune(store, GRACE, now=LATER)
    assert len(store.list("evaluations")) == 1


def test_a_run_that_began_before_the_plan_is_seen_by_it(store, monkeypatch):
    """The moment that counts: records are listed, then a run appears, then it is asked who needs them."""
    key, written = measure(store, measurement(e=0.5)), Store.written

    def appear(self, folder=""):
        if folder == "runs":
            unfinished(store, "new", "b", "e")
        return written(self, folder)

    monkeypatch.setattr(Store, "written", appear)
    assert prune(store, GRACE, now=LATER).remove == []
    assert store.exists(path(key))


def test_what_cannot_be_removed_is_said(store, monkeypatch):
    measure(store, measurement(e=0.5))

    def refuse(self, key):
        raise PermissionError("read-only")

    monkeypatch.setattr(Store, "delete", refuse)
    with pytest.raises(FailedRunError, match=r"not everything could be removed \(read-only\)"):
        prune(store, GRACE, now=LATER)
    assert pruned_by(store) is None


# Any history

MODELS = {"b": ("e", "f", "g"), "c": ("e", "h")}
spaces = st.sampled_from(
    [(base, experts[:count]) for base, experts in MODELS.items() for count in range(len(experts) + 1)]
)
values = st.sampled_from([0.0, 0.25, 0.5])


@st.composite
def asked(draw, space):
    base, experts = space
    return measurement(base, draw(st.sampled_from(["accuracy", "loss"])), **{name: draw(values) for name in experts})


@st.composite
def histories(draw):
    """Runs with what each of them asked, sealed or not, then records of no run, and an age in days for each record."""
    runs = []
    for number in range(draw(st.integers(0, 4))):
        space = draw(spaces)
        runs.append((f"r{number}", space, draw(st.lists(asked(space), max_size=6)), draw(st.booleans())))
    lost = [draw(asked(draw(spaces))) for _ in range(draw(st.integers(0, 6)))]
    return runs, lost, draw(st.lists(st.integers(0, 20), min_size=60, max_size=60))


@settings(max_examples=60, deadline=None)
@given(histories())
def test_whatever_happened_no_run_loses_anything_and_nothing_unneeded_stays(history):
    runs, lost, ages = history
    store, now = Store(f"memory://{uuid4().hex}"), time.time()
    store.create("evaluations/notes.txt", b"")
    folders, needs, open_spaces = {}, {}, []
    for run_id, (base, experts), inputs, sealed in runs:
        needs[run_id] = {measure(store, each, run_id) for each in inputs}
        folders[run_id] = unfinished(store, run_id, base, *experts)
        if sealed:
            folders[run_id].seal(EvaluationLedger(store), needs[run_id])
        else:
            open_spaces.append((base, set(experts)))
    inputs_of = {evaluation_key(each): each for _, _, inputs, _ in runs for each in inputs}
    inputs_of |= {measure(store, each, "gone"): each for each in lost}
    age = dict(zip(sorted(inputs_of), ages, strict=False))
    files = fsspec.filesystem("memory").store
    for key, days in age.items():
        files[f"/{store.uri.removeprefix('memory://')}/{path(key)}"].created = datetime.fromtimestamp(
            now - (days + 0.5) * DAY, UTC
        )

    plan = plan_pruning(store, GRACE, now=now)
    before = set(store.list())
    assert prune(store, GRACE, now=now) == plan
    after = set(store.list())
    assert before - after == removed(plan)

    ledger = EvaluationLedger(store)
    for keys in needs.values():  # sealed: what it rests on; else: what it paid for, and asks again when it is resumed
        assert ledger.get_many(keys).keys() == keys
    assert all(folders[run_id].verify(ledger) == [] for run_id, _, _, sealed in runs if sealed)
    for key, inputs in inputs_of.items():
        used = {expert for expert, _ in inputs["experts"]}
        may_be_asked = any(inputs["base"] == base and used <= experts for base, experts in open_spaces)
        rested_on = any(key in needs[run_id] for run_id, _, _, sealed in runs if sealed)
        assert (path(key) in after) == (rested_on or may_be_asked or age[key] < 7)
    assert prune(store, GRACE, now=now).remove == []


def test_claims_of_long_ago_go(store):
    key = "ab" * 32
    lost = Claims(store, "first", "token")
    lost.take([key])
    store.create("claims/notes.txt.json", b"of somebody else")
    assert removed(plan_pruning(store, GRACE)) == set()
    assert removed(plan_pruning(store, GRACE, now=LATER)) == {f"claims/ab/{key}.json"}
