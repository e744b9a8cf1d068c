"""What ``/metrics`` answers."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder

from pynomaly.observability.metrics.exemplars import WorkersCollector, multiprocess_folder


class _Filter:
    """The part of a registry that somebody wants; an encoder asks for no more than this."""

    def __init__(self, registry: CollectorRegistry, keep: Callable[[Metric], bool]) -> None:
        self._registry, self._keep = registry, keep

    def collect(self) -> Iterable[Metric]:
        return filter(self._keep, self._registry.collect())


def exposition(
    registry: CollectorRegistry, accept: str = "", keep: Callable[[Metric], bool] | None = None
) -> tuple[bytes, str]:
    """The metrics in the format that ``accept`` asks for, and its content type.

    With several worker processes their merged metrics, whichever process is asked. ``keep``
    chooses among the metrics.
    """
    encode, content_type = choose_encoder(accept)
    chosen = merged(registry)
    return encode(_Filter(chosen, keep) if keep else chosen), content_type


def merged(registry: CollectorRegistry) -> CollectorRegistry:
    """The registry of all worker processes together; the given one, if there is but one process."""
    folder = multiprocess_folder()
    if folder is None:
        return registry
    together = CollectorRegistry(auto_describe=False)
    WorkersCollector(together, folder)
    return together
