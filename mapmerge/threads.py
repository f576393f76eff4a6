"""Computing with one thread, so that sums have one order on machines of any size."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with a single thread inside the block, and with as many as before after it."""
    import torch  # here, because those who compute with numpy do not need it, and it takes a second to load

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy and scipy compute with a single thread inside the block, and with as many as before after it.

    Their matrices are small here: several threads would mostly wait for each other, and many times longer than it takes
    to compute.
    """
    with _blas().limit(limits=1):
        yield


@cache
def _blas() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  # scipy brings a BLAS of its own, which must be loaded to be found

    return ThreadpoolController().select(user_api="blas")
