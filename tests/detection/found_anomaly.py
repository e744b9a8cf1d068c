"""An anomaly for tests."""

from pynomaly.detection.events import Anomaly, anomaly_id
from pynomaly.model.labels import Labels


def anomaly(at: float, feedback: str = "", **labels: str) -> Anomaly:
    """One of ``cpu`` that began at these epoch seconds and lasts."""
    found = Labels({"__name__": "cpu", **labels})
    return Anomaly(
        id=anomaly_id(found, at),
        labels=found,
        started_at=at,
        peaked_at=at,
        ended_at=0.0,
        score=0.62,
        confidence=0.9,
        value=9.0,
        expected=5.0,
        lower=4.0,
        upper=6.0,
        direction="above",
        cause="level",
        feedback=feedback,
    )
