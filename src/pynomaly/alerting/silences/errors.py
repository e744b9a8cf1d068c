"""What can be wrong with a silence."""

from pynomaly.model.errors import BadInput, PynomalyError


class BadSilence(BadInput):
    """A silence that cannot be kept as given."""


class SilenceNotFound(PynomalyError):
    """There is no silence of this id: it never was, or its retention is over."""

    status = 404
    kind = "not_found"
