"""Array types of the sample store."""

import numpy as np
from numpy.typing import NDArray

SlotArray = NDArray[np.int32]
"""Positions of series in the index, from 0; -1 is "no series"."""

CodeArray = NDArray[np.int32]
"""Codes of label values; 0 is "label absent"."""
