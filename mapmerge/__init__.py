"""The whole Pareto front of merged models, from a few measurements: the library, without any orchestrator.

What has a name here is the public interface, described in `docs/python.md`. It is imported when it is first used: to
import mapmerge costs nothing and starts nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mapmerge.config import StudyConfig, read_study
    from mapmerge.errors import BadInputError, MapmergeError
    from mapmerge.front import Front, Merge, Point, open_front
    from mapmerge.records import Evaluation, Metric, Objective, Question
    from mapmerge.running import plan, resume, run
    from mapmerge.study import Study

__all__ = [
    "BadInputError",
    "Evaluation",
    "Front",
    "MapmergeError",
    "Merge",
    "Metric",
    "Objective",
    "Point",
    "Question",
    "Study",
    "StudyConfig",
    "open_front",
    "plan",
    "read_study",
    "resume",
    "run",
]

_ROOMS = {
    "config": ("StudyConfig", "read_study"),
    "errors": ("BadInputError", "MapmergeError"),
    "front": ("Front", "Merge", "Point", "open_front"),
    "records": ("Evaluation", "Metric", "Objective", "Question"),
    "running": ("plan", "resume", "run"),
    "study": ("Study",),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"mapmerge.{room}"), name)
            return value
    raise AttributeError(f"module 'mapmerge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
