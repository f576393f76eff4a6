"""Records of strangers, who can also hash: refused, in bounded memory, with the file named."""

import base64
import json
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.errors import IntegrityError, MapmergeError
from mapmerge.ledger.canonical import canonical_json, content_hash, with_checksum
from mapmerge.ledger.evaluations import EvaluationLedger, evaluation_key
from mapmerge.ledger.record import RECORD_LIMIT, decode, encode
from mapmerge.ledger.runs import RunFolder, find_run
from mapmerge.ledger.store import Store

INPUTS = {"base": "b0", "items": {"count": 3}}
OUTCOMES = np.float32([0.25, 0.5, 1.0])


def record():
    data = encode(evaluation_key(INPUTS), INPUTS, OUTCOMES, seconds=0.1, device="cpu", run="r")
    return {name: value for name, value in json.loads(data).items() if name != "checksum"}


def sealed(**changes):
    whole = record() | changes
    return canonical_json(with_checksum(whole | {"key": content_hash(whole["inputs"])}))


def read(data):
    inputs = json.loads(data)["inputs"] if data[:1] == b"{" else {}
    return decode(data, content_hash(inputs), "ledger/one.json")


def packed(raw, compression="zlib", encoding="float32"):
    body = zlib.compress(raw) if compression == "zlib" else raw
    return {"encoding": encoding, "compression": compression, "data": base64.b64encode(body).decode()}


def test_what_is_not_spoilt_is_read():
    np.testing.assert_array_equal(read(sealed()).outcomes, OUTCOMES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "mapmerge/evaluation/2"}, "schema mapmerge/evaluation/1; schema: "),
        ({"outcomes": packed(bytes(10**7))}, "one zlib stream of 12 bytes"),  # inflates to more than it says
        ({"outcomes": packed(bytes(10**7)), "items": 2_499_999}, "one zlib stream of 9999996 bytes"),
        ({"outcomes": packed(bytes(12)), "items": 8_000_000}, "expected 32000000 bytes for 8000000 items"),
        ({"items": 10**9}, "items: Input should be less than or equal to 8000000"),
        ({"items": -1}, "items: "),
        ({"items": True}, "items: "),
        ({"items": "3"}, "items: "),
        ({"outcomes": packed(b"\xff" * 12)}, "not finite"),
        ({"outcomes": {**packed(bytes(12)), "data": "é"}}, "cannot be unpacked"),
        ({"outcomes": {**packed(bytes(12)), "data": "AAAA"}}, "cannot be unpacked"),
        ({"outcomes": packed(b"\x80\x04K\x01.", "none", "pickle")}, "outcomes.encoding"),
        ({"outcomes": packed(bytes(12)) | {"more": 1}}, "outcomes.more"),
        ({"outcomes": None}, "outcomes: "),
        ({"inputs": []}, "inputs: "),
        ({"run": ["r"]}, "run: "),
        ({"seconds": -1}, "seconds: "),
        ({"more": 1}, "more: "),
    ],
)
def test_what_is_refused_although_its_hashes_are_right(changes, words):
    with pytest.raises(IntegrityError, match=rf"^ledger/one\.json: .*{words}"):
        read(sealed(**changes))


@pytest.mark.parametrize(
    "data",
    [
        b'{"inputs":[' + b"[]," * 200_000 + b"1]}",
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b'{"inputs": {"x": NaN}}',
        b'{"inputs": {"x": "\\ud800"}}',
        b'{"inputs": {"x": ' + b"9" * 5000 + b"}}",
        b'{"checksum": ' + b"[" * 150 + b"]" * 150 + b"}",
        b"{" + b" " * RECORD_LIMIT + b"}",
        b"\x80\x04K\x01.",
    ],
)
def test_bytes_that_are_refused_before_anything_else(data):
    with pytest.raises(IntegrityError, match=r"^ledger/one\.json: "):
        decode(data, "0" * 64, "ledger/one.json")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_spoilt_record_raises_anything_else(data):
    place = data.draw(st.sampled_from([*record(), "outcomes.data", "outcomes.compression", "inputs.base"]))
    value = data.draw(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just([[]]) | st.just({"a": {}})
    )
    holder, _, key = place.rpartition(".")
    try:
        read(sealed(**({holder: record()[holder] | {key: value}} if holder else {key: value})))
    except (MapmergeError, UnicodeEncodeError):  # the latter by `sealed`: a lone surrogate cannot even be written
        return


@pytest.mark.parametrize("key", ["../" * 20 + "etc", "/etc/passwd", "..", "0" * 63, "0" * 63 + "/", "Z" * 64, ""])
def test_keys_cannot_be_paths(tmp_path, key):
    ledger = EvaluationLedger(Store(str(tmp_path)))
    with pytest.raises(ValueError, match="expected an evaluation key of 64 hex digits"):
        ledger.get(key)
    assert len(ledger.check({key: "x"})) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("run_id", ["..", "../x", "a/../../b", "/etc", ".hidden", "a\x00", "A", ""])
def test_run_ids_cannot_be_paths(tmp_path, run_id):
    with pytest.raises(MapmergeError, match="expected"):
        RunFolder(Store(str(tmp_path)), run_id)
    with pytest.raises(MapmergeError, match="expected"):
        find_run(f"{tmp_path}/runs/{run_id}")


class TestEvents:
    def folder(self, tmp_path, name, content):
        run = RunFolder(Store(str(tmp_path)), "first")
        run.create({"name": "x"})
        run.append_event("round", {})
        (tmp_path / "runs" / "first" / "events" / name).write_bytes(content)
        return run

    @pytest.mark.parametrize("content", [b"[]", b"{}", b'{"number": "1", "kind": "a", "time": "", "payload": {}}'])
    def test_what_is_no_event_is_named(self, tmp_path, content):
        with pytest.raises(IntegrityError, match=r"events/000002-x\.json: expected"):
            self.folder(tmp_path, "000002-x.json", content).events()

    def test_files_of_others_do_not_count(self, tmp_path):
        run = self.folder(tmp_path, "zzz.json", b"{}")
        RunFolder(run.store, "first").append_event("round", {})
        assert (tmp_path / "runs" / "first" / "events" / "000002-round.json").exists()
