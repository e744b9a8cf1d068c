"""How busy a day is, hour by hour: the traffic follows it, and so does the history."""

import time

import numpy as np
from numpy.typing import NDArray

DAY = 86_400.0


def activity(at: NDArray[np.float64], utc_offset: float) -> NDArray[np.float64]:
    """The share of the daily mean at times in Unix seconds, 0.4 to 1.5.

    Least at four in the morning, most in the early afternoon, with a dip at noon; ``utc_offset``
    is how many seconds local time is ahead of UTC.
    """
    hour = 2 * np.pi * ((at + utc_offset) % DAY) / DAY
    day = -np.cos(hour - 2 * np.pi * 3.5 / 24)
    halves = -np.cos(2 * hour - 2 * np.pi * 1.5 / 12)
    curve: NDArray[np.float64] = 1 + 0.45 * day + 0.1 * halves
    return curve


def activity_now(at: float) -> float:
    """The same for one moment, in the time zone of this machine."""
    return float(activity(np.array([at]), float(time.localtime(at).tm_gmtoff))[0])
