"""What a detector is."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float64]
"""float64 ``[series, steps]``; NaN where a series has no value."""

Times = NDArray[np.int64]
"""int64 ``[steps]``: evenly spaced epoch seconds of local time (shifted by the zone's offset), so
that hours and weekdays are those of the people who make the load. Where daylight saving begins or
ends they leap."""

State = Mapping[str, NDArray[Any]]
"""All that a trained detector knows, as arrays by name: for a file without pickles."""


class Usual(NamedTuple):
    """What was expected at a step, and what would have been no surprise: float64 ``[series]``."""

    expected: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


class Detector(Protocol):
    """Judges many series at once; each by itself, so that their order does not matter."""

    name: str
    """The word for it in settings and in the label ``algorithm``."""

    @property
    def context(self) -> int:
        """Steps before a value that its score depends on; what comes later never does."""
        ...

    def fit(self, matrix: FloatMatrix, times: Times | None = None) -> None:
        """Learn what is usual for each series (row), in place of what was learnt before.

        Without ``times`` the steps are taken to be a minute apart, from the epoch on.
        """
        ...

    def score(self, matrix: FloatMatrix, times: Times | None = None) -> FloatMatrix:
        """How unusual each value is: 0 to 1, NaN where it cannot be said.

        0.5 is passed about once a week by a series without anomalies, and each further 0.1 is ten
        times rarer. The rows are those of ``fit``, in the same order; the steps may be others.
        """
        ...

    def state(self) -> State:
        """What was learnt."""
        ...

    @classmethod
    def of_state(cls, state: State) -> Self:
        """The detector that gave ``state``.

        Raises:
            KeyError, ValueError: another version or another detector wrote it.
        """
        ...
