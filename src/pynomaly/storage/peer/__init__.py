"""A Prometheus-compatible server that is already there: how it is reached, and whether it is."""
