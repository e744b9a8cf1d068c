"""Go's text/template in Python: what Prometheus's annotations and Alertmanager's messages use."""
