"""The errors a person can act on.

Each one also is the builtin that a caller would expect, so `except ValueError` keeps working. The command line maps
`BadInputError` to exit code 2 and every other `MapmergeError` to exit code 1.
"""

import difflib
from collections.abc import Iterable


class MapmergeError(Exception):
    """Root of every error that mapmerge raises on purpose."""


class BadInputError(MapmergeError, ValueError):
    """What the user gave cannot be used; the message says what was expected, what came, where, and what to do."""


class ConfigError(BadInputError):
    """A study file, an override or an option is wrong."""


class CheckpointError(BadInputError):
    """A checkpoint cannot be read, or does not fit the base model."""


class ItemSetError(BadInputError):
    """An item set cannot be used to measure with."""


class PreferenceError(BadInputError):
    """A preference names no objective, or no merged model can meet it."""


class RunError(BadInputError):
    """A run URI is no run, half of one, or held by somebody else."""


class MissingFileError(BadInputError, FileNotFoundError):
    """A file that the input names does not exist."""


class MissingPackageError(BadInputError, ImportError):
    """A package that the call needs is not installed."""


class StoreRefusedError(BadInputError, PermissionError):
    """A store does not let us in: credentials or rights are wrong, or the bucket is not there."""


class StoreAwayError(MapmergeError, ConnectionError):
    """A store did not answer for as long as it was waited for."""


class StoreFullError(MapmergeError, OSError):
    """A store has no room for what must be written."""


class EvaluationError(MapmergeError, RuntimeError):
    """An evaluator could not measure a merged model."""


class FailedRunError(MapmergeError, RuntimeError):
    """A run cannot go on, for example because too many evaluations failed."""


class IntegrityError(MapmergeError, RuntimeError):
    """Stored bytes are not the bytes that were written."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant.

    >>> did_you_mean("experst", ["experts", "objectives"])
    "did you mean 'experts'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(map(repr, names)) or 'none'}"
