"""What an error of S3 means: it passes, there is no object, the name is taken, or it was refused and will be again."""

from enum import Enum
from urllib.parse import urlsplit


class Meaning(Enum):
    """What an error says about trying again."""

    PASSING = "the next try may succeed"
    MISSING = "there is no such object"
    TAKEN = "there already is such an object"
    REFUSED = "the next try would be refused too"
    FOREIGN = "it does not come from S3"


_PASSING = {
    "BadDigest",  # what arrived was not what was sent
    "IncompleteBody",
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "XAmzContentSHA256Mismatch",
}
_PASSING_STATUS = {408, 409, 429, 500, 502, 503, 504}  # 409: another conditional write of this key is under way

_CREDENTIALS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE"
_RENEW = "the credentials have expired: renew them; a run goes on with `mapmerge resume`"
_RIGHTS = f"the credentials must be right, and allow to list, read, write and delete below this URI; {_CREDENTIALS}"
_PLACE = "check AWS_ENDPOINT_URL and AWS_DEFAULT_REGION, and the bucket of the URI"
_ADVICE = {
    "400": f"a wrong endpoint or expired credentials may be the cause; {_CREDENTIALS}",
    "401": _CREDENTIALS,
    "403": f"{_RIGHTS}; or the clock of this machine is wrong",  # an answer without a body says no more
    "AccessDenied": _RIGHTS,
    "AllAccessDisabled": _RIGHTS,
    "CredentialRetrievalError": _CREDENTIALS,
    "ExpiredToken": _RENEW,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "NoCredentialsError": f"there are no credentials; {_CREDENTIALS}",
    "NoSuchBucket": "there is no such bucket: create it, or correct the URI",
    "NotImplemented": "mapmerge needs a server with conditional writes (If-None-Match)",
    "PartialCredentialsError": f"half of the credentials is missing; {_CREDENTIALS}",
    "ProfileNotFound": "correct AWS_PROFILE",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "SignatureDoesNotMatch": _CREDENTIALS,
    "SSLError": "the certificate of the server is not trusted; AWS_CA_BUNDLE may name the one that signed it",
    "TokenRefreshRequired": _RENEW,
    "UnauthorizedSSOTokenError": _RENEW,
}


def meaning(error: BaseException) -> Meaning:
    """Say what an error that an S3 file system raised means.

    >>> meaning(TimeoutError()), meaning(FileNotFoundError()), meaning(TypeError())
    (<Meaning.PASSING: 'the next try may succeed'>, <Meaning.MISSING: 'there is no such object'>, \
<Meaning.FOREIGN: 'it does not come from S3'>)
    """
    import aiohttp
    from botocore import exceptions, parsers

    if (answer := _answer(error)) is not None:
        code, status = answer
        if code == "NoSuchBucket":
            return Meaning.REFUSED
        if status == 404:
            return Meaning.MISSING
        if status == 412:
            return Meaning.TAKEN
        return Meaning.PASSING if code in _PASSING or status in _PASSING_STATUS else Meaning.REFUSED
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Meaning.REFUSED
    passing = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.ChecksumError,
        exceptions.FlexibleChecksumError,
        exceptions.IncompleteReadError,
        parsers.ResponseParserError,  # half of an answer, or a page of a proxy
        aiohttp.ClientError,
        ConnectionError,
        TimeoutError,
    )
    if isinstance(error, passing):
        return Meaning.PASSING
    if isinstance(error, FileNotFoundError):
        return Meaning.MISSING
    # A ValueError says that what the environment names, such as the endpoint, is nothing that could be asked.
    return Meaning.REFUSED if isinstance(error, exceptions.BotoCoreError | ValueError) else Meaning.FOREIGN


def name(error: BaseException) -> str:
    """Return the server's code for an error, or its kind: never its text, which may repeat what was sent."""
    answer = _answer(error)
    return type(error).__name__ if answer is None else answer[0]


def advice(error: BaseException) -> str:
    """Say what to do about an error that will not pass."""
    return _ADVICE.get(name(error), _PLACE)


def server(endpoint: str) -> str:
    """Return where a server is, without anything that an address may carry beside that.

    >>> server("https://user:word@example.org:9000/path?key=1")
    'https://example.org:9000'
    """
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _answer(error: BaseException | None) -> tuple[str, int] | None:
    """Return code and HTTP status of the server's answer, which s3fs keeps as the cause of its own errors."""
    while error is not None:
        match getattr(error, "response", None):
            case {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": int(status)}}:
                return str(code), status
        error = error.__cause__
    return None
