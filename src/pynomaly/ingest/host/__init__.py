"""The host this process runs on, measured under node_exporter's names."""

from pynomaly.ingest.host.collector import HostCollector

__all__ = ["HostCollector"]
