"""Merged models in memory: task vectors computed once, any merged model a single pass away.

>>> from mapmerge.merging import ResidentModel, TaskMatrix, build_model
"""

from mapmerge.merging.architecture import build_model
from mapmerge.merging.engine import ResidentModel
from mapmerge.merging.layout import Layout, Slot
from mapmerge.merging.task_matrix import TaskMatrix

__all__ = ["Layout", "ResidentModel", "Slot", "TaskMatrix", "build_model"]
