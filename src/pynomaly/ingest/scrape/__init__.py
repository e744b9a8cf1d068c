"""Scraping by a ``prometheus.yml``: configuration, discovery, relabelling, the loops."""
