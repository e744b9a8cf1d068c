"""PromQL as Prometheus 3 answers it."""
