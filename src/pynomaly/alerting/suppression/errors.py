"""What can be wrong with a suppression rule."""

from pynomaly.model.errors import BadInput, PynomalyError


class BadSuppressionRule(BadInput):
    """It cannot be used as given."""


class NoSuchSuppressionRule(PynomalyError):
    """There is none of that name."""

    status = 404
    kind = "not_found"


class SuppressionRuleOfFile(PynomalyError):
    """It stands in the configuration, and is changed there."""

    status = 409
    kind = "conflict"
