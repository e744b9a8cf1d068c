"""Remote read: other servers query our samples as if they were theirs."""

from pynomaly.api.prometheus.remote_read.route import ReadDeps, router

__all__ = ["ReadDeps", "router"]
