"""A study as one strict YAML file: the whole science of a run, and where it is computed."""

from mapmerge.config.model import StudyConfig
from mapmerge.config.reading import read_study

__all__ = ["StudyConfig", "read_study"]
