"""What keeps a channel from being built."""

from pynomaly.model.errors import BadInput


class UnusableChannel(BadInput):
    """A section that is well written, and of which no channel can be made here."""
