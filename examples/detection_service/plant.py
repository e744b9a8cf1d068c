"""The plant: simulated machines, whose readings the service judges.

Both sides of the demo need it: the traffic sends readings, and the service is trained on what was
measured when the machines were commissioned.
"""

import numpy as np
from numpy.typing import NDArray

Readings = NDArray[np.float64]
"""``[readings, features]``."""

FEATURES = ("vibration_mm_s", "temperature_celsius", "pressure_bar", "current_amperes")

MACHINES = tuple(f"press-{number}" for number in range(1, 9))

USUAL = np.array([2.4, 61.0, 5.2, 14.0])
"""The mean of each feature while a machine is well."""
SPREAD = np.array([0.3, 2.5, 0.2, 0.9])
"""The standard deviation of each feature while a machine is well."""

BAD_SHARE = 0.05
"""How many of the readings are of a machine that is not well."""


def readings(rng: np.random.Generator, count: int) -> tuple[Readings, NDArray[np.bool_]]:
    """So many readings, and which of them are of a machine that is not well.

    A worn bearing shakes, heats up and takes more current: between 5 and 9 standard deviations.
    """
    rows = rng.normal(USUAL, SPREAD, (count, len(FEATURES)))
    bad = rng.random(count) < BAD_SHARE
    worn = rng.uniform(5, 9, (count, 1)) * SPREAD * np.array([1.0, 1.0, 0.0, 1.0])
    return np.where(bad[:, np.newaxis], rows + worn, rows), bad


def commissioning(count: int = 2000) -> Readings:
    """What was measured when the machines were new: the same each time."""
    return readings(np.random.default_rng(20), count)[0]
