"""Whether it was like this yesterday at the same time: the nightly job is news once.

A profile learns in a week or two what happens every day. Until then, what passes quickly and
comes back at its hour is known by the rarity that the points of yesterday had.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming.columns import Column, FloatArray, Lanes
from pynomaly.detection.streaming.predictor import DAY_SLOTS, day_slot, place_of

_DAY = 86_400
_BESIDE = (-1, 0, 1)
_APART = (-4, 4)
"""Half hours: what was as rare so long before or after was no job, but trouble that lasted."""
_STEPS = np.float32(16.0)
"""Rarities are kept in sixteenths of a decade."""
_NOTHING = -128


@dataclass(slots=True)
class Yesterday(Lanes):
    """The rarest point of each half hour, of even days and of odd ones; the last such place."""

    rarest: NDArray[np.int8]
    place: NDArray[np.int16]

    SPEC: ClassVar = {
        "rarest": Column((2 * DAY_SLOTS,), np.int8, _NOTHING),
        "place": Column(dtype=np.int16, first=-1),
    }


def relief(state: Yesterday, rarity: FloatArray, seconds: NDArray[np.int64]) -> FloatArray:
    """Decades by which points are less rare than they seem, ``[series]``; takes them in.

    ``rarity``: of the points, in decades, ``[series]``; what is below 0 is no news anyway.
    ``seconds``: the local time of each, or the one that is common to all.
    """
    today = seconds // _DAY % 2
    slot = day_slot(seconds)
    place = today * DAY_SLOTS + slot
    now = place_of(place)
    rarest = np.where(state.place == place, state.rarest[now], np.int8(_NOTHING))
    state.place[:] = place
    kept = np.clip(np.rint(rarity * _STEPS), _NOTHING, 127).astype(np.int8)
    state.rarest[now] = np.maximum(rarest, kept)
    before = (1 - today) * DAY_SLOTS
    found: FloatArray = _rarest(state, before, slot, _BESIDE).astype(np.float32) / _STEPS
    np.maximum(found, 0, out=found)
    found[_rarest(state, before, slot, _APART) > 0] = 0.0
    return found


def _rarest(
    state: Yesterday, before: NDArray[np.int64], slot: NDArray[np.int64], beside: tuple[int, ...]
) -> NDArray[np.int8]:
    """The most of yesterday's half hours that lie so far from the present one."""
    places = (place_of(before + (slot + each) % DAY_SLOTS) for each in beside)
    found: NDArray[np.int8] = np.maximum.reduce([state.rarest[place] for place in places])
    return found
