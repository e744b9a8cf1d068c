"""How many anomalies began, hour by hour, service by service."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pynomaly.figures.palette import OKABE_ITO

HOUR_MS = 3_600_000
OTHERS = "others"
_MOST_SERVICES = 20


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyRate:
    """``counts``: int64 ``[services, hours]``; ``services`` are those with most anomalies first.

    ``hours``: where each hour begins, milliseconds since the epoch. What is beyond twenty
    services is added up in ``rest``, int64 ``[hours]``.
    """

    services: list[str]
    hours: list[int]
    counts: NDArray[np.int64]
    rest: NDArray[np.int64]


def anomaly_rate(starts: Iterable[tuple[str, float]], until_ms: int, hours: int) -> AnomalyRate:
    """Count anomalies, each a service and the epoch seconds of its begin.

    The last of the ``hours`` is the one that ``until_ms`` is in; others are left out.
    """
    last = until_ms // HOUR_MS
    rows: dict[str, NDArray[np.int64]] = {}
    for service, at in starts:
        column = int(at * 1000) // HOUR_MS - last + hours - 1
        if 0 <= column < hours:
            rows.setdefault(service, np.zeros(hours, dtype=np.int64))[column] += 1
    ordered = sorted(rows, key=lambda service: (-int(rows[service].sum()), service))
    shown, others = ordered[:_MOST_SERVICES], ordered[_MOST_SERVICES:]
    nothing = np.zeros(hours, dtype=np.int64)
    return AnomalyRate(
        shown,
        [(last - hours + 1 + i) * HOUR_MS for i in range(hours)],
        np.array([rows[service] for service in shown], dtype=np.int64).reshape(len(shown), hours),
        sum((rows[service] for service in others), nothing),
    )


def anomaly_rate_figure(rate: AnomalyRate, unnamed: str = "no service") -> dict[str, Any]:
    """A heat map of services by hours; an hour without anomalies is empty.

    ``meta`` has the services as they are, for the row of ``unnamed`` is "", and the hours.
    """
    names = [service or unnamed for service in rate.services]
    rows = [[int(count) or None for count in row] for row in rate.counts.tolist()]
    if rate.rest.any():
        names.append(OTHERS)
        rows.append([int(count) or None for count in rate.rest.tolist()])
    return {
        "data": [
            {
                "type": "heatmap",
                "x": [hour + HOUR_MS // 2 for hour in rate.hours],
                "y": list(range(len(names))),
                "z": rows,
                "zmin": 0,
                "colorscale": [[0, "#FBE6D4"], [1, OKABE_ITO[3]]],
                "showscale": False,
                "xgap": 1,
                "ygap": 1,
                "meta": {"services": rate.services, "hours": rate.hours},
            }
        ],
        "layout": {
            "xaxis": {"type": "date", "fixedrange": True},
            "yaxis": {
                "autorange": "reversed",
                "fixedrange": True,
                "tickvals": list(range(len(names))),
                "ticktext": names,
            },
            "meta": {"unit": ""},
        },
    }
