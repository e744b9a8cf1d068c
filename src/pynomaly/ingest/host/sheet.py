"""Where the readings of one collection are written down."""

from collections.abc import Iterable

from prometheus_client.core import Metric


class Sheet:
    """Metric families by name, filled sample by sample."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def gauge(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Write down a value that goes up and down."""
        self._family(name, meaning, "gauge").add_sample(name, labels, value)

    def counter(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Write down a value that only grows; the name ends in ``_total``."""
        self._family(name.removesuffix("_total"), meaning, "counter").add_sample(
            name, labels, value
        )

    def untyped(self, name: str, meaning: str, value: float, **labels: str) -> None:
        """Write down a value that the kernel says no more of; node_exporter calls it so too."""
        self._family(name, meaning, "unknown").add_sample(name, labels, value)

    def families(self) -> Iterable[Metric]:
        """Everything written down."""
        return self._families.values()

    def _family(self, name: str, meaning: str, kind: str) -> Metric:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = Metric(name, meaning, kind)
        return family
