import base64
import json
import subprocess
import sys
import threading
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mapmerge.errors import IntegrityError
from mapmerge.ledger.canonical import canonical_json, with_checksum
from mapmerge.ledger.evaluations import EvaluationLedger, evaluation_inputs, evaluation_key
from mapmerge.ledger.record import ITEMS_LIMIT, RECORD_LIMIT, decode, encode
from mapmerge.ledger.store import Store

ABOUT = {
    "architecture": {"spec": "package.module:encoder", "options": {}},
    "base": "b" * 64,
    "experts": ["1" * 64, "2" * 64, "3" * 64],
    "coefficients": [0.1, 0.25, -1.5],
    "method": "task_arithmetic",
    "dtype": "float32",
    "evaluator": "classification",
    "version": "1",
    "identity": {"item_set": "abc", "metric": "accuracy", "batch_size": 128, "head": None},
}
BITS = np.array([1, 0, 0, 1, 1, 1, 0, 1, 1, 0], dtype=np.float32)


def inputs(**changes):
    return evaluation_inputs(**{**ABOUT, **changes})


def key_of(**changes):
    return evaluation_key(inputs(**changes))


def path_of(key):
    return f"evaluations/{key[:2]}/{key}.json"


def test_the_key_of_known_inputs_never_changes():
    assert key_of() == "44d549a06c5f9a578f0c2378877314e0f0855c780eab565422ea9b63c7f2a809"


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": {"spec": "package.module:encoder", "options": {"width": 2}}},
        {"base": "c" * 64},
        {"experts": ["1" * 64, "2" * 64, "4" * 64]},
        {"coefficients": [0.1, 0.25, np.nextafter(-1.5, 0)]},
        {"coefficients": [0.25, 0.1, -1.5]},
        {"method": "ties"},
        {"dtype": "bfloat16"},
        {"evaluator": "other"},
        {"version": "2"},
        {"identity": {**ABOUT["identity"], "batch_size": 64}},
    ],
)
def test_everything_that_determines_the_outcomes_changes_the_key(changes):
    assert key_of(**changes) != key_of()


ITEMS = np.array([3, 5, 300])


def test_all_items_measured_once_are_not_named():
    """Measurements of before there were samples are found as ever."""
    assert key_of(items=None, repeat=0) == "44d549a06c5f9a578f0c2378877314e0f0855c780eab565422ea9b63c7f2a809"
    assert "items" not in inputs()
    assert "repeat" not in inputs()


def test_a_sample_and_a_repetition_have_keys_of_their_own_that_never_change():
    assert inputs(items=ITEMS)["items"] == {"count": 3, "indices": "AwAAAAUAAAAsAQAA"}
    assert inputs(repeat=2)["repeat"] == 2
    assert key_of(items=ITEMS) == "5475eb098ca93efdc5bdc4e6e68deccc1ebb1297b1ad2f62921676160afaff62"
    assert key_of(items=ITEMS, repeat=1) == "2cd404d241226fc626757bc34aea7b9a10ea3d5531b4c5f2255875b4b9134e21"
    assert len({key_of(), key_of(repeat=1), key_of(items=ITEMS), key_of(items=ITEMS[:2])}) == 4
    assert key_of(items=ITEMS.astype(np.int32)) == key_of(items=ITEMS)


@pytest.mark.parametrize("items", [[], [-1, 2], [1 << 32], [[1, 2]]])
def test_indices_that_are_none_are_refused(items):
    with pytest.raises(ValueError, match="item indices"):
        inputs(items=np.array(items, dtype=np.int64))


def test_the_order_of_experts_and_absent_ones_do_not_count():
    flipped = key_of(experts=ABOUT["experts"][::-1], coefficients=ABOUT["coefficients"][::-1])
    one_more = key_of(experts=[*ABOUT["experts"], "4" * 64], coefficients=[*ABOUT["coefficients"], 0.0])
    assert key_of() == flipped == one_more
    assert key_of(coefficients=[0.0, -0.0, 0.0]) == key_of(experts=[], coefficients=[])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_coefficients_keep_every_bit(coefficients):
    stored = dict(json.loads(canonical_json(inputs(coefficients=coefficients)))["experts"])
    back = [float.fromhex(stored[expert]) if expert in stored else 0.0 for expert in ABOUT["experts"]]
    assert back == coefficients


@pytest.mark.parametrize("coefficients", [[0.1, 0.2], [0.1, 0.2, np.nan], [0.1, 0.2, np.inf], [[0.1, 0.2, 0.3]]])
def test_coefficients_must_fit_the_experts(coefficients):
    with pytest.raises(ValueError, match="3 finite coefficients"):
        inputs(coefficients=coefficients)


def test_what_is_put_can_be_got(store):
    ledger = EvaluationLedger(store)
    stored = ledger.put(inputs(), BITS, seconds=0.25, device="cpu", run="first")
    assert stored.key == key_of()
    got = EvaluationLedger(Store(store.uri)).get(stored.key)
    assert got.outcomes.dtype == np.float32
    assert got.outcomes.tolist() == BITS.tolist()
    assert not got.outcomes.flags.writeable
    assert (got.key, got.inputs, got.seconds, got.device, got.checksum) == (
        stored.key, inputs(), 0.25, "cpu", stored.checksum,
    )  # fmt: skip
    assert got.score == pytest.approx(0.6)
    assert ledger.get("0" * 64) is None
    assert ledger.warnings == []


def test_the_first_record_stands(store):
    ledger = EvaluationLedger(store)
    first = ledger.put(inputs(), BITS, seconds=0.25, device="cpu", run="first")
    second = ledger.put(inputs(), 1 - BITS, seconds=9.0, device="cuda", run="second")
    assert second.checksum == first.checksum
    assert second.outcomes.tolist() == BITS.tolist()


def test_many_are_got_at_once(store):
    ledger = EvaluationLedger(store)
    keys = [
        ledger.put(inputs(coefficients=[0.1, 0.2, c]), BITS, seconds=0, device="cpu", run="first").key
        for c in (0.3, 0.4, 0.5)
    ]
    found = ledger.get_many([*keys[:2], "0" * 64])
    assert sorted(found) == sorted(keys[:2])
    assert ledger.get_many([]) == {}


def test_a_record_says_what_it_is(store):
    key = EvaluationLedger(store).put(inputs(), BITS, seconds=0.25, device="cpu", run="first").key
    record = json.loads(store.read(path_of(key)))
    assert record["schema"] == "mapmerge/evaluation/1"
    assert record["inputs"] == inputs()
    assert (record["items"], record["score"], record["device"]) == (10, 0.6, "cpu")
    assert record["outcomes"]["encoding"] == "bits"
    assert record["run"] == "first"
    assert set(record["created_by"]) == {"mapmerge", "numpy", "torch"}


def test_bits_are_small():
    outcomes = np.random.default_rng(0).integers(0, 2, 1000).astype(np.float32)
    record = json.loads(encode(key_of(), inputs(), outcomes, seconds=0, device="cpu", run="first"))
    assert len(record["outcomes"]["data"]) <= 172


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float32, st.integers(1, 40), elements=st.sampled_from([0.0, 1.0]) | finite))
def test_outcomes_come_back_bit_for_bit(outcomes):
    stored = decode(encode(key_of(), inputs(), outcomes, seconds=0.0, device="cpu", run="first"), key_of(), "here")
    assert stored.outcomes.tobytes() == outcomes.tobytes()


@settings(max_examples=30, deadline=None)
@given(arrays(np.float32, st.integers(1, 3000), elements=st.sampled_from([0.0, 1.0])))
def test_bits_come_back_bit_for_bit(outcomes):
    stored = decode(encode(key_of(), inputs(), outcomes, seconds=0.0, device="cpu", run="first"), key_of(), "here")
    assert stored.outcomes.tobytes() == outcomes.tobytes()


def test_a_strided_view_is_stored_as_it_reads():
    outcomes = np.arange(20, dtype=np.float32)[::2]
    stored = decode(encode(key_of(), inputs(), outcomes, seconds=0.0, device="cpu", run="first"), key_of(), "here")
    assert stored.outcomes.tolist() == outcomes.tolist()


@pytest.mark.parametrize(
    "outcomes",
    [
        np.array([], dtype=np.float32),
        np.array([[1.0]], dtype=np.float32),
        np.array([1.0]),
        np.array([1.0, np.nan], dtype=np.float32),
        np.array([np.inf], dtype=np.float32),
        np.zeros(ITEMS_LIMIT + 1, dtype=np.float32),
    ],
)
def test_outcomes_that_are_none_are_refused(store, outcomes):
    with pytest.raises(ValueError, match="outcomes"):
        EvaluationLedger(store).put(inputs(), outcomes, seconds=0, device="cpu", run="first")
    assert store.list() == []


def sound():
    return json.loads(encode(key_of(), inputs(), BITS, seconds=0.25, device="cpu", run="first"))


def resigned(**changes):
    """A record with changes whose checksum is right again: it must be refused for what it says."""
    record = {**sound(), **changes}
    record.pop("checksum")
    return canonical_json(with_checksum(record))


def packed(raw, *, encoding="bits", compression="none"):
    return {"encoding": encoding, "compression": compression, "data": base64.b64encode(raw).decode()}


DAMAGED = {
    "empty": b"",
    "torn": canonical_json(sound())[:-20],
    "one letter": canonical_json(sound()).replace(b"0.25", b"0.26"),
    "no object": b"[]",
    "deep": b"[" * 100_000,
    "other schema": resigned(schema="mapmerge/evaluation/2"),
    "other key": resigned(key="0" * 64),
    "other inputs": resigned(inputs=inputs(base="c" * 64)),
    "extra field": resigned(more=1),
    "no items": resigned(items=0),
    "fewer items": resigned(items=3),
    "more items": resigned(items=17),
    "huge items": resigned(items=10**12),
    "items as text": resigned(items="10"),
    "score as text": resigned(score="0.6"),
    "negative seconds": resigned(seconds=-1.0),
    "unknown encoding": resigned(outcomes={**packed(b"\1\2"), "encoding": "pickle"}),
    "unknown compression": resigned(outcomes={**packed(b"\1\2"), "compression": "bz2"}),
    "no base64": resigned(outcomes={**packed(b"\1\2"), "data": "!!!!"}),
    "not ascii": resigned(outcomes={**packed(b"\1\2"), "data": "ÄÖ=="}),
    "no zlib": resigned(outcomes=packed(b"\1\2", compression="zlib")),
    "torn zlib": resigned(outcomes=packed(zlib.compress(b"\1\2")[:-3], compression="zlib")),
    "zlib and more": resigned(outcomes=packed(zlib.compress(b"\1\2") + b"x", compression="zlib")),
    "bomb": resigned(outcomes=packed(zlib.compress(bytes(50_000_000), 9), compression="zlib")),
    "not finite": resigned(outcomes=packed(np.full(10, np.nan, "<f4").tobytes(), encoding="float32")),
    "too large": b" " * (RECORD_LIMIT + 1),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_record_is_put_aside_and_measured_again(store, name):
    ledger, key = EvaluationLedger(store), key_of()
    store.create(path_of(key), DAMAGED[name])
    assert ledger.get(key) is None
    (warning,) = ledger.warnings
    assert key in warning
    assert "evaluations/quarantine/" in warning
    assert not store.exists(path_of(key))
    (kept,) = store.list("evaluations/quarantine")
    assert store.read(kept) == DAMAGED[name]
    assert ledger.put(inputs(), BITS, seconds=1.0, device="cpu", run="first").seconds == 1.0
    assert ledger.get(key).outcomes.tolist() == BITS.tolist()


def test_putting_onto_a_damaged_record_replaces_it(store):
    ledger, key = EvaluationLedger(store), key_of()
    store.create(path_of(key), b"{")
    assert ledger.put(inputs(), BITS, seconds=1.0, device="cpu", run="first").seconds == 1.0
    assert len(ledger.warnings) == 1


def test_one_bad_record_does_not_spoil_the_others(store):
    ledger = EvaluationLedger(store)
    good = ledger.put(inputs(), BITS, seconds=0, device="cpu", run="first").key
    bad = key_of(base="c" * 64)
    store.create(path_of(bad), b"{}")
    assert list(ledger.get_many([bad, good])) == [good]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_changed_byte_goes_unnoticed(data):
    record = bytearray(canonical_json(sound()))
    place = data.draw(st.integers(0, len(record) - 1))
    record[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(IntegrityError, match="here"):
        decode(bytes(record), key_of(), "here")


def test_a_bomb_is_never_unpacked():
    bomb = DAMAGED["bomb"]
    tracemalloc.start()
    with pytest.raises(IntegrityError):
        decode(bomb, key_of(), "here")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * len(bomb)


def test_check_names_what_is_missing_changed_or_damaged(store):
    ledger = EvaluationLedger(store)
    kept = ledger.put(inputs(), BITS, seconds=0, device="cpu", run="first")
    gone, bad = key_of(base="c" * 64), key_of(base="d" * 64)
    store.create(path_of(bad), b"{}")
    assert ledger.check({kept.key: kept.checksum}) == []
    problems = ledger.check({kept.key: "0" * 64, gone: "1", bad: "2", "../x": "3"})
    assert [problem.split(" ", 2)[2].split(":")[0] for problem in problems] == [
        "was replaced by another measurement", "is missing", "is damaged", "is missing",
    ]  # fmt: skip
    assert store.exists(path_of(bad))


@pytest.mark.parametrize("key", ["", "abc", "A" * 64, "../" * 21 + "a", "g" * 64])
def test_other_keys_are_refused(store, key):
    with pytest.raises(ValueError, match="64 hex digits"):
        EvaluationLedger(store).get(key)


def test_a_record_that_cannot_be_moved_is_an_error(tmp_path):
    store = Store(str(tmp_path))
    ledger = EvaluationLedger(store)
    store.create(path_of(key_of()), b"{}")
    (tmp_path / "evaluations" / "quarantine").write_bytes(b"a file where the folder should be")
    with pytest.raises(IntegrityError, match="delete it"):
        ledger.put(inputs(), BITS, seconds=0, device="cpu", run="first")
    assert "could not be moved away" in ledger.warnings[0]


def test_threads_agree_on_one_record(store):
    stored = []

    def write(number):
        outcomes = np.full(100, number / 8, dtype=np.float32)
        stored.append(EvaluationLedger(store).put(inputs(), outcomes, seconds=number, device="cpu", run="first"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 8
    assert len({record.checksum for record in stored}) == 1


WRITE = """
import json, sys, time
from pathlib import Path
import numpy as np
from mapmerge.ledger.evaluations import EvaluationLedger
from mapmerge.ledger.store import Store

ledger, number, gate = EvaluationLedger(Store(sys.argv[1])), int(sys.argv[2]), Path(sys.argv[3])
print("ready", flush=True)
while not gate.exists():
    time.sleep(0.001)
outcomes = np.full(500, number / 4, dtype=np.float32)
stored = [ledger.put({"place": place}, outcomes, seconds=number, device="cpu", run="first") for place in range(40)]
print(json.dumps([[record.checksum for record in stored], ledger.warnings]))
"""


def test_processes_agree_on_one_record(shared_store, tmp_path):
    gate = tmp_path / "go"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, shared_store.uri, str(number), str(gate)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    gate.touch()
    answers = [json.loads(writer.communicate(timeout=60)[0]) for writer in writers]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][1] == []


MARGINS = np.float32([0.5, -2.0, 1e-30, 0.0, 7.25])
RIGHT = np.float32([1, 0, 1, 0, 1])


def test_margins_are_kept_bit_for_bit_and_outcomes_follow_from_them(store):
    ledger = EvaluationLedger(store)
    stored = ledger.put(inputs(), RIGHT, seconds=0.25, device="cpu", run="first", margins=MARGINS)
    got = EvaluationLedger(Store(store.uri)).get(stored.key)
    assert got.margins.tobytes() == MARGINS.tobytes()
    assert got.outcomes.tolist() == RIGHT.tolist()
    assert got.score == pytest.approx(0.6)
    assert not got.margins.flags.writeable
    assert not got.outcomes.flags.writeable


@pytest.mark.parametrize(
    "margins", [MARGINS[:4], -MARGINS, MARGINS.astype(np.float64), np.float32([1, np.nan, 1, 0, 1])]
)
def test_margins_that_do_not_go_with_the_outcomes_are_refused(store, margins):
    with pytest.raises(ValueError, match="margins"):
        EvaluationLedger(store).put(inputs(), RIGHT, seconds=0.25, device="cpu", run="first", margins=margins)


def test_a_measurement_without_margins_has_none(store):
    assert EvaluationLedger(store).put(inputs(), BITS, seconds=0.25, device="cpu", run="first").margins is None
