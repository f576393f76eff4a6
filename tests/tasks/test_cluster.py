"""Ray is started for a run, also where it is slow to start."""

import pytest

from mapmerge.errors import FailedRunError
from tasks import cluster


@pytest.mark.parametrize("slow", [1, 2])
def test_ray_that_was_too_slow_to_start_is_started_once_more(monkeypatch, slow):
    starts = []

    def start(**_):
        starts.append("start")
        if starts.count("start") <= slow:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster.ray, "init", start)
    monkeypatch.setattr(cluster.ray, "shutdown", lambda: starts.append("shutdown"))
    if slow == 2:
        with pytest.raises(FailedRunError, match=r"Ray did not start: .*timed out.*`mapmerge resume`"):
            cluster.start_ray("local")
        assert starts == ["start", "shutdown"] * 2
    else:
        assert cluster.start_ray("local")
        assert starts == ["start", "shutdown", "start"]
