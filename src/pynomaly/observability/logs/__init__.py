"""Structured logs: JSON with the trace's ids, correlated, redacted, delivered without blocking."""
