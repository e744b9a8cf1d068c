"""What can be wrong with a request about deliveries."""

from pynomaly.model.errors import PynomalyError


class NoSuchDeadLetter(PynomalyError):
    """No dead letter has this id, or several begin with it."""

    status = 404
    kind = "not_found"


class NoSuchReceiver(PynomalyError):
    """The configuration in force has no such receiver, or not this way to tell it."""

    status = 404
    kind = "not_found"
