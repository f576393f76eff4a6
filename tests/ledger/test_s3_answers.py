import aiohttp
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from mapmerge.ledger.s3_answers import Meaning, advice, meaning, name


def answered(code, status):
    """An error as s3fs raises it: its own, with the server's answer as the cause."""
    error = OSError("Message: the word was secret")
    error.__cause__ = ClientError(
        {"Error": {"Code": code, "Message": "secret"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )
    return error


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("SlowDown", 503, Meaning.PASSING),
        ("503", 503, Meaning.PASSING),
        ("InternalError", 500, Meaning.PASSING),
        ("502", 502, Meaning.PASSING),
        ("504", 504, Meaning.PASSING),
        ("429", 429, Meaning.PASSING),
        ("RequestTimeout", 400, Meaning.PASSING),
        ("IncompleteBody", 400, Meaning.PASSING),
        ("ConditionalRequestConflict", 409, Meaning.PASSING),
        ("PreconditionFailed", 412, Meaning.TAKEN),
        ("412", 412, Meaning.TAKEN),
        ("NoSuchKey", 404, Meaning.MISSING),
        ("404", 404, Meaning.MISSING),
        ("NoSuchBucket", 404, Meaning.REFUSED),
        ("AccessDenied", 403, Meaning.REFUSED),
        ("403", 403, Meaning.REFUSED),
        ("InvalidAccessKeyId", 403, Meaning.REFUSED),
        ("SignatureDoesNotMatch", 403, Meaning.REFUSED),
        ("ExpiredToken", 400, Meaning.REFUSED),
        ("400", 400, Meaning.REFUSED),
        ("NotImplemented", 501, Meaning.REFUSED),
        ("PermanentRedirect", 301, Meaning.REFUSED),
    ],
)
def test_answers_have_a_meaning(code, status, expected):
    error = answered(code, status)
    assert meaning(error) is expected
    assert name(error) == code
    assert advice(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="http://here", error=""), Meaning.PASSING),
        (ConnectTimeoutError(endpoint_url="http://here", error=""), Meaning.PASSING),
        (ReadTimeoutError(endpoint_url="http://here", error=""), Meaning.PASSING),
        (aiohttp.ClientPayloadError("half"), Meaning.PASSING),
        (ResponseParserError("<html>"), Meaning.PASSING),
        (ConnectionResetError(), Meaning.PASSING),
        (SSLError(endpoint_url="https://here", error="CERTIFICATE_VERIFY_FAILED"), Meaning.REFUSED),
        (NoCredentialsError(), Meaning.REFUSED),
        (ValueError("Invalid endpoint: here"), Meaning.REFUSED),
        (KeyError("a mistake of ours"), Meaning.FOREIGN),
    ],
)
def test_what_never_was_an_answer_has_a_meaning(error, expected):
    assert meaning(error) is expected
    assert name(error) == type(error).__name__


def test_the_advice_goes_with_the_error():
    assert "renew" in advice(answered("ExpiredToken", 400))
    assert "there are no credentials" in advice(NoCredentialsError())
    assert "create it" in advice(answered("NoSuchBucket", 404))
    assert "AWS_ENDPOINT_URL" in advice(answered("PermanentRedirect", 301))
