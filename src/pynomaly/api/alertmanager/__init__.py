"""Alertmanager's API v2, so that ``amtool``, karma, Grafana and Prometheus work unchanged."""

from pynomaly.api.alertmanager.router import AlertmanagerDeps, router

__all__ = ["AlertmanagerDeps", "router"]
