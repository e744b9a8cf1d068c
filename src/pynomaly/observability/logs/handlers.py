"""Which of the root logger's handlers are ours."""

import logging


def is_of_sdk(handler: logging.Handler) -> bool:
    """Whether ``configure_logging`` has put the handler there."""
    return getattr(handler, "of_sdk", False)


def is_configured() -> bool:
    """Whether ``configure_logging`` has been called in this process."""
    return any(map(is_of_sdk, logging.getLogger().handlers))
