"""Checkpoints on disk: opened without trust, checked against each other, merged and written.

>>> from mapmerge.checkpoints import open_checkpoint, preflight, export_checkpoint
"""

from mapmerge.checkpoints.export import export_checkpoint
from mapmerge.checkpoints.open import Checkpoint, open_checkpoint
from mapmerge.checkpoints.preflight import ExpertReport, PreflightReport, preflight

__all__ = ["Checkpoint", "ExpertReport", "PreflightReport", "export_checkpoint", "open_checkpoint", "preflight"]
