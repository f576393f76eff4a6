"""Arrays out of a pickle that somebody else wrote, without letting it run anything."""

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapmerge.errors import IntegrityError

# Everything a pickled plain array names. Older NumPy releases wrote the first spelling of the module.
_ALLOWED = frozenset(
    {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }
)


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that can rebuild NumPy arrays and name nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Resolve the few names that arrays need."""
        if (module, name) not in _ALLOWED:
            raise IntegrityError(
                f"the pickle names {module}.{name}, but only plain arrays are read: the file is damaged or hostile"
            )
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_array_pickle(data: bytes) -> NDArray[np.generic]:
    """Return the one NumPy array of numbers in a pickle.

    Args:
        data: the pickle, uncompressed.

    Returns:
        The array, of any shape; its dtype holds no Python objects.

    Raises:
        IntegrityError: when the pickle names anything but array reconstruction, is broken, or is no array of numbers.

    >>> read_array_pickle(pickle.dumps(np.arange(3), protocol=4)).tolist()
    [0, 1, 2]
    """
    try:
        value = _ArrayUnpickler(io.BytesIO(data)).load()
    except IntegrityError:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything
        raise IntegrityError(f"the pickle cannot be read as an array: {error}") from error
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "buif":
        raise IntegrityError(f"expected a pickled array of numbers, found {type(value).__name__}")
    return value
