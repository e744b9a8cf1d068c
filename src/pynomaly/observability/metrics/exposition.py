"""What ``/metrics`` answers."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pynomaly.observability.metrics.exemplars import WorkersCollector, multiprocess_folder


def exposition(registry: CollectorRegistry, accept: str = "") -> tuple[bytes, str]:
    """The metrics in the format that ``accept`` asks for, and its content type.

    With several worker processes their merged metrics, whichever process is asked.
    """
    folder = multiprocess_folder()
    if folder is not None:
        registry = CollectorRegistry(auto_describe=False)
        WorkersCollector(registry, folder)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
