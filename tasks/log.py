"""The log of the flow run or task run that is under way, and Python's own where there is none."""

import logging

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger


def run_log() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    """Return where to log what somebody should see who looks at a run; on a worker it is on the run's page."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger(__name__)
