"""A run whose output is on S3: the same front as in a folder, outages and all, and no secret anywhere."""

import itertools
import threading
import time

import pytest

from infra.services.fault_proxy import faulty, seeded
from mapmerge.ledger import remote_objects
from mapmerge.ledger.store import Store
from tests.s3_server import reaching

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def science(result):
    """What a run found, without when and where it was computed."""
    return {key: value for key, value in result.items() if key not in ("run_uri", "run_id", "seconds", "provenance")}


def outage(server, store, seconds):
    """Stop the server when it has the first measurements, and start it again."""
    while not store.list("evaluations"):
        time.sleep(0.01)
    server.kill()
    time.sleep(seconds)
    server.start()


def test_a_run_on_s3_is_the_run_in_a_folder(mapmerge, digits_run, digits_family, s3, s3_server, tmp_path):
    study, store = digits_family / "study.yaml", Store(s3)
    stopping = threading.Thread(target=outage, args=(s3_server, store, 2.0))
    stopping.start()
    said = mapmerge("run", study, "--output", s3, "--run-id", "first", "--json")
    stopping.join()
    assert said.code == 0, said.err
    assert said.json["run_uri"] == f"{s3}/runs/first"
    assert science(said.json) == science(digits_run.result)
    assert not [key for key in store.list() if "quarantine" in key]

    texts = [said.out, said.err]
    for command in (
        ("front", "--json"),
        ("pick", "--prefer", "upright=2,reversed=1", "--json"),
        ("verify",),
        ("resume", "--json"),
        ("report", "--out", tmp_path / "report.html"),
    ):
        here = mapmerge(command[0], f"{s3}/runs/first", *command[1:])
        there = mapmerge(command[0], digits_run.uri, *command[1:])
        assert here.code == there.code == 0, here.err
        if "--json" in command:
            assert science(here.json) == science(there.json) if "provenance" in here.json else here.json == there.json
        texts += [here.out, here.err]

    listed = mapmerge("index", s3)
    assert (listed.code, listed.out) == (0, f"{s3}/index.html\n")
    page = store.read("index.html").decode()
    assert '<a href="runs/first/report.html">first</a>' in page
    texts += [listed.err, page]

    again = mapmerge("run", study, "--output", s3, "--run-id", "first")
    assert again.code == 2
    assert f"mapmerge resume {s3}/runs/first" in again.err

    assert len(store.list()) > 20
    for key, data in store.read_many(store.list()).items():
        assert s3_server.secret.encode() not in data, key
        assert s3_server.key.encode() not in data, key
    assert not any(s3_server.secret in text for text in texts)


def test_half_of_a_run_goes_on_through_a_bad_network(mapmerge, start, digits_run, digits_family, s3, s3_server):
    store = Store(s3)
    process = start("run", digits_family / "study.yaml", "--output", s3, "--run-id", "first")
    while not store.list("evaluations"):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.kill()
    process.communicate()
    half = store.read_many(store.list("evaluations"))
    with faulty(s3_server.endpoint, seeded(5, share=0.2)) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        said = mapmerge("resume", f"{s3}/runs/first", "--json")
    assert said.code == 0, said.err
    assert science(said.json) | {"evaluations_reused": 0} == science(digits_run.result) | {"evaluations_reused": 0}
    assert half.items() <= store.read_many(store.list("evaluations")).items()
    assert s3_server.secret not in said.out + said.err


def test_credentials_that_expire_in_mid_run_are_renewed_and_it_goes_on(
    mapmerge, start, digits_run, digits_family, s3, s3_server
):
    store = Store(s3)
    with faulty(s3_server.endpoint, []) as proxy:
        with reaching(s3_server.environment(proxy.endpoint)):
            process = start("run", digits_family / "study.yaml", "--output", s3, "--run-id", "first", "--json")
        while not store.list("evaluations"):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        proxy.spoil(itertools.repeat("400"))
        told, said = process.communicate()
    paid = store.list("evaluations")
    assert (process.returncode, told) == (2, "")
    assert "Traceback" not in said
    last = said.splitlines()[-1]
    assert last.startswith(f"mapmerge: {s3}")
    assert f"ExpiredToken from {proxy.endpoint}; the credentials have expired: renew them" in last
    assert "a run goes on with `mapmerge resume`" in last
    before = store.read_many(paid)
    resumed = mapmerge("resume", f"{s3}/runs/first", "--json")
    assert resumed.code == 0, resumed.err
    assert science(resumed.json) | {"evaluations_reused": 0} == science(digits_run.result) | {"evaluations_reused": 0}
    assert before.items() <= store.read_many(paid).items()


def test_what_s3_refuses_is_bad_input(mapmerge, digits_family, s3, s3_server):
    with reaching({**s3_server.environment(), "AWS_SECRET_ACCESS_KEY": "wrong-word"}):
        said = mapmerge("run", digits_family / "study.yaml", "--output", s3, "--run-id", "first")
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith(f"mapmerge: {s3}/runs/first")
    assert "AWS_SECRET_ACCESS_KEY" in said.err
    assert "wrong-word" not in said.err
    assert "Traceback" not in said.err
    missing = mapmerge("front", "s3://no-bucket/runs/first")
    assert missing.code == 2
    assert "create it, or correct the URI" in missing.err


def test_a_command_that_waits_says_so(mapmerge, s3, s3_server, monkeypatch):
    monkeypatch.setattr(remote_objects, "_SAID_FROM", 0.0)
    with faulty(s3_server.endpoint, ["503"]) as proxy, reaching(s3_server.environment(proxy.endpoint)):
        said = mapmerge("front", f"{s3}/runs/first")
    assert said.code == 2
    waiting, told = said.err.splitlines()
    assert waiting == f"mapmerge: {s3}/runs/first/study.json: 503 from {proxy.endpoint}; trying again for 300 s"
    assert "there is no run here" in told
