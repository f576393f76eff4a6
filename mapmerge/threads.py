"""Computing with one thread, so that sums have one order on machines of any size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController


class _Limit:
    """A limit of the whole process, as long as anybody in it wants one: threads come and go in any order."""

    def __init__(self, impose: Callable[[], Callable[[], object]]) -> None:
        self._impose = impose  # imposes the limit and returns what lifts it
        self._lift: Callable[[], object] = lambda: None
        self._inside, self._lock = 0, Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the limit for the time of a `with` block."""
        with self._lock:
            if self._inside == 0:
                self._lift = self._impose()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._lift()


def _impose_on_torch() -> Callable[[], object]:
    import torch  # here, because those who compute with numpy do not need it, and it takes a second to load

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    return lambda: torch.set_num_threads(threads)


def _impose_on_blas() -> Callable[[], object]:
    lift: Callable[[], object] = _controller().limit(limits=1).restore_original_limits
    return lift


_torch, _blas = _Limit(_impose_on_torch), _Limit(_impose_on_blas)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with a single thread inside the block, and with as many as before after it."""
    with _torch.held():
        import torch

        if torch.get_num_threads() != 1:  # a thread that was there before the limit has a number of its own
            torch.set_num_threads(1)
        yield


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let numpy and scipy compute with a single thread inside the block, and with as many as before after it.

    Their matrices are small here: several threads would mostly wait for each other, and many times longer than it takes
    to compute.
    """
    with _blas.held():
        yield


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  # scipy brings a BLAS of its own, which must be loaded to be found

    return ThreadpoolController().select(user_api="blas")
