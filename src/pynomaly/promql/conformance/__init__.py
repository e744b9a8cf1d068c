"""How far our PromQL is Prometheus's: its own test scripts, and queries beside a reference."""
