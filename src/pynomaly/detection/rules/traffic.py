"""How much traffic there is for each series that a rule wants some for."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.points import is_counter
from pynomaly.detection.rules.config import MinTraffic
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import METRIC_NAME, Labels, quoted
from pynomaly.promql.contract import Matrix, Querier

log = logging.getLogger(__name__)

_WINDOW = "5m"


def expression(traffic: MinTraffic) -> str:
    """The PromQL that is asked for.

    >>> expression(MinTraffic(metric="requests_total", at_least=1))
    'rate({__name__="requests_total"}[5m])'
    """
    if traffic.query:
        return traffic.query
    selector = f"{{{METRIC_NAME}={quoted(traffic.metric)}}}"
    return f"rate({selector}[{_WINDOW}])" if is_counter(traffic.metric) else selector


class Measured:
    """The traffic of one rule at some time, and which of it is whose."""

    def __init__(self, traffic: MinTraffic) -> None:
        self.expr = expression(traffic)
        self.at_least = traffic.at_least
        self._labels: list[Labels] = []
        self._values = np.empty(0)
        self._whose: dict[Labels, NDArray[np.intp]] = {}

    async def read(self, querier: Querier, at_ms: int) -> None:
        """Ask for it anew; where that fails, what was known stays."""
        try:
            found = await querier.instant(self.expr, at_ms)
        except PynomalyError as error:
            log.warning("the traffic of a rule, %s, is not known: %s", self.expr, error)
            return
        if not isinstance(found.value, Matrix):
            log.warning("the traffic of a rule, %s, is no vector", self.expr)
            return
        self._values = np.nan_to_num(found.value.values[:, 0])
        labels = list(found.value.labels)
        if labels != self._labels:
            self._labels, self._whose = labels, {}

    def enough(self, series: Sequence[Labels]) -> NDArray[np.bool_]:
        """For each of these series: whether its traffic is at least what the rule wants.

        A series' traffic is the sum of all that agrees with it in the labels that both have.
        """
        sums = [self._values[self._of(each)].sum() for each in series]
        found: NDArray[np.bool_] = np.array(sums, dtype=np.float64) >= self.at_least
        return found

    def _of(self, series: Labels) -> NDArray[np.intp]:
        found = self._whose.get(series)
        if found is None:
            own = {name: value for name, value in series.items() if name != METRIC_NAME}
            agree = [
                i
                for i, each in enumerate(self._labels)
                if all(own.get(n, v) == v for n, v in each.items() if n != METRIC_NAME)
            ]
            found = self._whose[series] = np.array(agree, dtype=np.intp)
        return found
