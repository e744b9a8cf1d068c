"""What people said of anomalies, and what was told of services, for what trained models find."""

import math
from collections.abc import Sequence

from pynomaly.detection.budget import Pressure, Telling, pressures
from pynomaly.detection.events import Anomaly
from pynomaly.detection.lessons import taught_by_others
from pynomaly.model.labels import Labels, service_of


class Heeded:
    """One for all watched queries. ``per_series``, ``service_budget``: events a week."""

    def __init__(self, per_series: float, service_budget: float) -> None:
        self._per_series = per_series
        self._budget = service_budget
        self._judged: Sequence[Anomaly] = ()
        self._pressures: dict[str, Pressure] = {}

    def take(self, judged: Sequence[Anomaly], tellings: Sequence[Telling]) -> None:
        """From now on this is what was said of anomalies, and what was told."""
        self._judged = judged
        self._pressures = pressures(tellings, self._budget)

    @property
    def teaches(self) -> bool:
        """Whether anything was said."""
        return bool(self._judged)

    def decades(self, labels: Labels, cause: str, direction: str) -> float:
        """By how much rarer similar ones taught that it must be; negative where they were real."""
        return taught_by_others(labels, cause, direction, self._judged)

    def tells(self, labels: Labels, beyond: float, among: int, at: float) -> bool:
        """Whether the budget of its service lets this be told, which counts from then on.

        ``beyond``: decades by which it is rarer than its series must be; ``among``: how many
        series of its service are judged with it.
        """
        service = service_of(labels)
        if not service:
            return True
        start = math.log10(max(among * self._per_series / self._budget, 1.0))
        pressure = self._pressures.setdefault(service, Pressure())
        if beyond - start < pressure.now(at, self._budget):
            return False
        pressure.tell(at, self._budget)
        return True
