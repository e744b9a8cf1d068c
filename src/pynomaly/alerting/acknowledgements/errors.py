"""What can be wrong with an acknowledgement."""

from pynomaly.model.errors import PynomalyError


class NotFiring(PynomalyError):
    """There is nothing to take on."""

    status = 409
    kind = "conflict"


class NotAcknowledged(PynomalyError):
    """There is nothing to withdraw."""

    status = 404
    kind = "not_found"
