"""What a series says by itself is seen in its company: its siblings, and all of its service."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.events import TOGETHER, Anomaly
from pynomaly.detection.excluded import Excluded
from pynomaly.detection.lasting import ALONE, Beside, Judged, Lasting, anomaly_at
from pynomaly.detection.peers.heed import heeded
from pynomaly.detection.peers.judge import Compared, PeerJudge
from pynomaly.detection.peers.siblings import which
from pynomaly.detection.streaming.columns import AnyArray, Rows
from pynomaly.detection.streaming.rarity import NEVER
from pynomaly.detection.streaming.scorer import HALF, PER_DECADE, Scored
from pynomaly.detection.together import Joint, Together
from pynomaly.model.labels import Labels

_MOST_MEMBERS = 20
"""Series of one event that nothing is rare in alone: the rarest."""


class Company:
    """The siblings and the services of all series, by the rows of the judge."""

    def __init__(self, settings: DetectionSettings) -> None:
        self._peers: PeerJudge | None = None
        if settings.peers.enabled:
            by, least = settings.peers.by, settings.peers.least
            self._peers = PeerJudge(by, least, settings.min_points)
        self._by = settings.peers.by
        self._together = Together(settings.budget, settings.min_points)
        self._joint = settings.joint.enabled
        self._compared = Compared.blank(0)
        self._found: list[Joint] = []
        self._weak: dict[int, str] = {}
        self._busy = np.empty(0, dtype=np.int64)

    @property
    def bytes_per_series(self) -> int:
        """How much memory one series takes."""
        return 8 + (self._peers.bytes_per_series if self._peers else 0)

    def resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, and have room for ``size``."""
        if self._peers:
            self._peers.resize(rows, size)
        self._together.resize(rows)
        place = {old: new for new, old in enumerate(rows.tolist())}
        self._busy = np.empty(0, dtype=np.int64)
        self._weak = {place[row]: name for row, name in self._weak.items() if row in place}

    def heed(
        self,
        rows: Rows,
        labels: Sequence[Labels],
        values: NDArray[np.float64],
        scored: Scored,
        interval: NDArray[np.float64],
        excluded: Excluded | None = None,
    ) -> Scored:
        """The verdict on one point of each of these series, in its company; learns from it.

        ``excluded``: what is not learnt of them, or not told.
        """
        self._compared = Compared.blank(len(rows))
        if self._peers:
            learn = excluded.learn if excluded else None
            self._compared = self._peers.update(rows, labels, values, interval, learn)
            scored = heeded(scored, self._compared, values)
        if self._joint:
            rarity = np.where(np.isnan(scored.score), np.nan, scored.rarity)
            rarity[np.isin(rows, self._busy) & ~np.isnan(rarity)] = NEVER
            if excluded:
                rarity[~(excluded.learn & excluded.alarm)] = np.nan
            self._found = self._together.step(rows, labels, rarity, interval)
        return scored

    def beside(self, labels: Labels, i: int) -> Beside:
        """How the ``i``-th series of the last ``heed`` is among its siblings, if it has some."""
        siblings = int(self._compared.siblings[i])
        if not siblings:
            return ALONE
        return Beside(which(labels, self._by), siblings, float(self._compared.median[i]))

    def holds(self, row: int) -> bool:
        """Whether the anomaly of this row is one of several that are rare together, and lasts."""
        return row in self._weak

    def told(
        self, judged: Judged, labels: Sequence[Labels], lasting: Lasting, at: float
    ) -> list[Anomaly]:
        """What began, and what ended, of anomalies that are rare only together.

        ``labels``: by row. What lasts already counts for nothing in them.
        """
        told = self._ended(lasting, at)
        for joint in self._found:
            told += self._begun(joint, judged, labels, lasting, at)
        self._busy = np.array([row for row, _ in lasting.items()], dtype=np.int64)
        return told

    def _begun(
        self, joint: Joint, judged: Judged, labels: Sequence[Labels], lasting: Lasting, at: float
    ) -> list[Anomaly]:
        together = min(HALF + PER_DECADE * joint.rarity, 1.0)
        found = []
        for i in joint.at[:_MOST_MEMBERS].tolist():
            row = int(judged.rows[i])
            if row in lasting:
                continue
            anomaly = replace(
                anomaly_at(labels[row], i, judged, at),
                cause=TOGETHER,
                together=together,
                confidence=joint.confidence,
            )
            lasting.adopt(row, anomaly)
            self._weak[row] = joint.service
            found.append(anomaly)
        return found

    def _ended(self, lasting: Lasting, at: float) -> list[Anomaly]:
        ended = []
        causes = {row: each.cause for row, each in lasting.items()} if self._weak else {}
        for row, service in list(self._weak.items()):
            if causes.get(row) != TOGETHER:
                del self._weak[row]  # it became one by itself, or its series stopped
            elif not self._together.lasts(service):
                del self._weak[row]
                ended.append(lasting.end(row, at))
        return ended

    def arrays(self) -> dict[str, AnyArray]:
        """The whole state, for a file."""
        peers = self._peers.arrays() if self._peers else {}
        return {**peers, **self._together.arrays()}

    def take_up(self, arrays: Mapping[str, AnyArray], size: int) -> None:
        """Go on from what ``arrays`` gave for so many rows; anew what is not there."""
        if self._peers:
            self._peers.restore(arrays, size)
        self._together.restore(arrays)

    def restore(self, lasting: Lasting) -> None:
        """Take up the anomalies that lasted when another process stopped."""
        self._weak = {row: each.service for row, each in lasting.items() if each.cause == TOGETHER}
