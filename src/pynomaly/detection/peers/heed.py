"""What siblings say joins what a series says of itself."""

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.peers.judge import Compared
from pynomaly.detection.streaming.scorer import HALF, PER_DECADE, Scored
from pynomaly.detection.streaming.statistics import TAILS

PEERS = len(TAILS)
"""The cause that stands for the siblings, after those of the series itself."""


def heeded(scored: Scored, compared: Compared, values: NDArray[np.float64]) -> Scored:
    """The verdict on each series by itself or by its siblings, whichever is rarer.

    What the siblings find has the cause ``PEERS``, and from once a week on their band.
    """
    theirs = ~np.isnan(scored.score) & (compared.rarity > scored.rarity)
    if not theirs.any():
        return scored
    score = np.clip(HALF + PER_DECADE * compared.rarity, 0.0, 1.0)
    banded = theirs & (compared.rarity >= 0.0)
    side = np.where(values >= compared.expected, 1.0, -1.0)
    return Scored(
        np.where(theirs, np.maximum(scored.score, score), scored.score),
        np.where(banded, compared.expected, scored.expected),
        np.where(banded, compared.lower, scored.lower),
        np.where(banded, compared.upper, scored.upper),
        np.where(theirs, compared.rarity, scored.rarity),
        np.where(theirs, PEERS, scored.cause),
        np.where(banded, side, scored.direction),
    )
