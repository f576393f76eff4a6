"""What is tried again: a store that stumbled, and nothing else."""

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from mapmerge.errors import FailedRunError, MissingFileError
from tasks.measure import is_transient


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "tries"), [(ConnectionResetError, 3), (FailedRunError, 1), (MissingFileError, 1), (ValueError, 1)]
)
def test_only_a_stumbling_store_is_asked_again(prefect_server, problem, tries):
    asked = []

    @task(cache_policy=NO_CACHE, retries=2, retry_condition_fn=is_transient)
    def ask():
        asked.append(problem)
        raise problem("away")

    @flow
    def keep_asking():
        ask()

    with pytest.raises(problem):
        keep_asking()
    assert len(asked) == tries
