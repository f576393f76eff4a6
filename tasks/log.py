"""The log of the flow run or task run that is under way, and Python's own where there is none."""

import logging

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger


def warn(message: str) -> None:
    """Log what somebody should see who asks why a run is short of something; on a worker it is on the run's page."""
    try:
        get_run_logger().warning(message)
    except MissingContextError:
        logging.getLogger(__name__).warning(message)


def tell(message: str) -> None:
    """Log where a run stands."""
    try:
        get_run_logger().info(message)
    except MissingContextError:
        logging.getLogger(__name__).info(message)
