"""What every part of a study file has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of a study: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)
