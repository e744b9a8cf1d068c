"""What can keep the product from starting: one clear line each."""

from pynomaly.model.errors import PynomalyError


class CannotStart(PynomalyError):
    """Something outside must change first; the message says what."""


class NotStoredHere(PynomalyError):
    """What was asked for is about a store of our own, and there is none."""

    status = 404
    kind = "not_found"
