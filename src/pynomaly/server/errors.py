"""What can keep the product from starting: one clear line each."""

from pynomaly.model.errors import PynomalyError


class CannotStart(PynomalyError):
    """Something outside must change first; the message says what."""
