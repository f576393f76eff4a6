"""What S3 refuses, or never answers, is said in words that help and hold no secret."""

import socket
from datetime import UTC, datetime, timedelta
from itertools import repeat

import botocore.auth
import pytest

from mapmerge.errors import BadInputError, StoreAwayError, StoreRefusedError
from mapmerge.ledger import remote_objects
from mapmerge.ledger.patience import Patience
from mapmerge.ledger.store import Store
from tests.ledger.calls import ALL
from tests.s3_server import reaching

pytestmark = pytest.mark.slow


@pytest.fixture
def no_pause(monkeypatch):
    """Fail where the store would try again."""

    def refuse(seconds):
        raise AssertionError("this will not pass, and must be said at once")

    monkeypatch.setattr(remote_objects.time, "sleep", refuse)


def test_patience_ends_in_words(s3, s3_server):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with reaching(s3_server.environment(endpoint)):
            store = Store(s3, patience=Patience(in_all=0.3, pause=0.05))
            for act in ALL.values():
                with pytest.raises(StoreAwayError, match="resume") as caught:
                    act(store)
                words(caught.value, s3_server, s3, endpoint, "EndpointConnectionError", "0.3 s", "AWS_ENDPOINT_URL")
                assert not isinstance(caught.value, BadInputError)


def words(error, server, *expected):
    for word in expected:
        assert word in str(error)
    assert server.secret not in str(error)
    assert "token-word" not in str(error)


WRONG = {
    "key": ({"AWS_ACCESS_KEY_ID": "somebody"}, ("AWS_ACCESS_KEY_ID",)),
    "secret": ({"AWS_SECRET_ACCESS_KEY": "token-word"}, ("AWS_SECRET_ACCESS_KEY",)),
    "none": ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, ("NoCredentialsError", "AWS_PROFILE")),
    "half": ({"AWS_SECRET_ACCESS_KEY": None}, ("PartialCredentialsError",)),
    "profile": ({"AWS_PROFILE": "nobody"}, ("ProfileNotFound", "AWS_PROFILE")),
    "endpoint": ({"AWS_ENDPOINT_URL": "no endpoint"}, ("AWS_ENDPOINT_URL",)),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("call", ALL)
def test_wrong_credentials_are_said_at_once(s3_server, no_pause, what, call):
    changes, expected = WRONG[what]
    environment = {**s3_server.environment(), **changes}
    uri = s3_server.uri()
    with reaching({name: value for name, value in environment.items() if value is not None}):
        with pytest.raises(StoreRefusedError) as caught:
            ALL[call](Store(uri))
        words(caught.value, s3_server, uri, *expected)
    assert isinstance(caught.value, BadInputError)


@pytest.mark.parametrize("call", ALL)
def test_expired_credentials_are_said_at_once(spoiled, s3_server, no_pause, call):
    store, _ = spoiled(repeat("400"))
    with pytest.raises(StoreRefusedError, match="expired") as caught:
        ALL[call](store)
    words(caught.value, s3_server, store.uri)


@pytest.mark.parametrize("call", ["read", "read_many", "create", "replace", "exists", "list", "move"])
def test_a_missing_bucket_is_said_at_once(s3, no_pause, call):
    with pytest.raises(StoreRefusedError, match=r"s3://no-bucket/folder.* NoSuchBucket .*create it"):
        ALL[call](Store("s3://no-bucket/folder"))


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("call", ALL)
def test_a_clock_that_is_wrong_is_said_at_once(s3, no_pause, monkeypatch, hours, call):
    def now(*, remove_tzinfo=True):
        time = datetime.now(UTC) + timedelta(hours=hours)
        return time.replace(tzinfo=None) if remove_tzinfo else time

    monkeypatch.setattr(botocore.auth, "get_current_datetime", now)
    with pytest.raises(StoreRefusedError, match="clock of this machine is wrong"):
        ALL[call](Store(s3))
