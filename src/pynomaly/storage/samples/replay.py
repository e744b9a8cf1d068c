"""How far the log that an earlier process left has been read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Replay:
    """``current`` of ``commits`` are read.

    ``corruptions`` is 1 when the end of the log was no whole commit, and was cut off.
    """

    commits: int = 0
    current: int = 0
    corruptions: int = 0
