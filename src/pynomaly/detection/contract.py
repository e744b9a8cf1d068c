"""What a detector is."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatMatrix = NDArray[np.float64]
"""float64 ``[series, steps]``; NaN where a series has no value."""


class Detector(Protocol):
    """Judges many series at once; each by itself, so that their order does not matter."""

    def fit(self, matrix: FloatMatrix) -> None:
        """Learn what is usual for each series (row), in place of what was learnt before."""
        ...

    def score(self, matrix: FloatMatrix) -> FloatMatrix:
        """How unusual each value is: 0 (as ever) to 1, NaN where it cannot be said.

        The rows are those of ``fit``, in the same order; the steps may be others.
        """
        ...
