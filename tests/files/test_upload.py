"""Folders on S3: whole or not there, and never in the place of something."""

import os
import threading

import pytest

from infra.services.fault_proxy import PASS, faulty, seeded
from mapmerge.errors import ConfigError, StoreAwayError, StoreRefusedError
from mapmerge.files import upload
from mapmerge.files.upload import upload_folder, write_object
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.remote_objects import ask
from mapmerge.ledger.store import Store
from tests.remote_files import QUICK, put
from tests.s3_server import BUCKET, reaching

pytestmark = pytest.mark.slow

FILES = {"model.safetensors": os.urandom(12 * 2**20 + 3), "README.md": b"# Card", "empty": b""}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(upload, "PART", 5 * 2**20)  # the least that S3 takes
    (tmp_path / "model").mkdir()
    for name, data in FILES.items():
        (tmp_path / "model" / name).write_bytes(data)
    return tmp_path / "model"


def there(uri):
    store = Store(uri)
    return store.read_many(store.list())


def pending():
    """Return the keys of uploads that nobody has ended."""
    ask_all = ask("s3://uploads", QUICK, lambda files: files.call_s3("list_multipart_uploads", Bucket=BUCKET))
    return [entry["Key"] for entry in ask_all.get("Uploads") or []]


def test_objects_are_the_files(folder, s3):
    upload_folder(folder, f"{s3}/out/", last="model.safetensors")
    assert there(f"{s3}/out") == FILES
    assert not [key for key in pending() if key in s3]
    with pytest.raises(ConfigError, match=rf"{s3}/out: already exists"):
        upload_folder(folder, f"{s3}/out", last="model.safetensors")
    put(f"{s3}/other-out/x", b"")
    upload_folder(folder, f"{s3}/other", last="model.safetensors")  # a neighbour's name begins like it


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_network_does_not_spoil_an_upload(seed, folder, s3, s3_server):
    with faulty(s3_server.endpoint, seeded(seed, share=0.3)) as proxy:
        with reaching(s3_server.environment(proxy.endpoint)):
            upload_folder(folder, f"{s3}/out", last="model.safetensors", patience=QUICK)
        assert set(proxy.happened) - {PASS}
    assert there(f"{s3}/out") == FILES


def test_a_lost_answer_to_the_last_request_is_no_failure(folder, s3, s3_server):
    with faulty(s3_server.endpoint, []) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        upload_folder(folder, f"{s3}/counted", last="model.safetensors")
        requests = len(proxy.happened)
        proxy.spoil([PASS] * (requests - 2) + ["lose"])
        upload_folder(folder, f"{s3}/out", last="model.safetensors", patience=QUICK)
        assert "lose" in proxy.happened
    assert there(f"{s3}/out") == FILES


@pytest.mark.parametrize("after", [2, 5, 8, 10, 12])
def test_an_upload_that_fails_leaves_nothing(after, folder, s3, s3_server):
    refused = [PASS] * after + ["400"]
    with faulty(s3_server.endpoint, refused) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        with pytest.raises((StoreRefusedError, StoreAwayError)):
            upload_folder(folder, f"{s3}/out", last="model.safetensors", patience=Patience(in_all=0.0))
        assert "400" in proxy.happened
    assert there(f"{s3}/out") == {}
    assert not [key for key in pending() if f"s3://{BUCKET}/{key}".startswith(s3)]


def test_nothing_is_visible_before_all_has_arrived(folder, s3, monkeypatch):
    seen, complete = [], upload._Upload.complete
    monkeypatch.setattr(upload._Upload, "complete", lambda self: (seen.append(sorted(there(s3))), complete(self))[1])
    upload_folder(folder, f"{s3}/out", last="model.safetensors")
    assert seen == [[], ["out/README.md"], ["out/README.md", "out/empty"]]


def test_of_two_who_upload_at_once_one_is_told(folder, s3):
    outcomes = []

    def run():
        try:
            upload_folder(folder, f"{s3}/out", last="model.safetensors")
            outcomes.append("done")
        except ConfigError:
            outcomes.append("taken")

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "taken"]
    assert there(f"{s3}/out") == FILES


def test_one_object_is_replaced(s3):
    write_object(f"{s3}/report.html", b"one")
    write_object(f"{s3}/report.html", b"two")
    assert there(s3) == {"report.html": b"two"}
    with pytest.raises(StoreRefusedError, match="there is no such bucket"):
        write_object("s3://no-such-bucket/x", b"")
