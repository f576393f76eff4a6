from concurrent.futures import ThreadPoolExecutor
from threading import Event

import scipy.linalg  # noqa: F401  # its BLAS must be there before the first limit
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from mapmerge.threads import one_blas_thread, one_thread


def _blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_numpy_takes_one_thread_and_gets_the_others_back():
    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread():
            assert _blas_threads() == {1}
        assert _blas_threads() == {2}


def test_torch_takes_one_thread_and_gets_the_others_back():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_limit_holds_until_the_last_one_has_left():
    inside, leave = Event(), Event()

    def other():
        with one_blas_thread():
            inside.set()
            leave.wait(30)

    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(1) as pool:
        with one_blas_thread():
            waiting = pool.submit(other)
            inside.wait(30)
        assert _blas_threads() == {1}
        leave.set()
        waiting.result()
