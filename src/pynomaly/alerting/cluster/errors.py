"""What can go wrong with Alertmanagers elsewhere."""

from pynomaly.model.errors import PynomalyError


class ClusterAway(PynomalyError):
    """No Alertmanager answers."""

    status = 503
    kind = "unavailable"
