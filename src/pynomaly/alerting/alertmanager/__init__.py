"""Alertmanager's configuration file and what it means: routes, matchers, intervals, receivers."""
