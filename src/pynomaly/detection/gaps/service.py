"""Tells what does not come: which series stopped and why, lost samples, traffic that ended."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.events import Anomaly
from pynomaly.detection.gaps.arrivals import COUNTED, STOPPED, Arrivals, Watch
from pynomaly.detection.gaps.findings import (
    GAPS,
    LOST_SAMPLES,
    NO_TRAFFIC,
    SERIES_STOPPED,
    SOURCE_STOPPED,
    STOPS,
    TARGET_DOWN,
    Findings,
    length,
    others,
    siblings,
)
from pynomaly.detection.gaps.kin import COMES_AND_GOES, Kin, Source, source_of
from pynomaly.detection.gaps.traffic import Silent, TrafficWatch
from pynomaly.detection.points import LastSamples
from pynomaly.detection.streaming.columns import AnyArray, Rows
from pynomaly.model.labels import Labels

_REPLACED_MS = 900_000
"""A kind of which another came so shortly before, or since, was replaced."""
EVERYTHING = Source((), ("everything",))
_RIGHT_AFTER = 1.5
"""Intervals after which a sample says that a series went on."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The moment at which is judged: what is known of every row, by now.

    ``false_alarms``: by row, how many of its findings were; ``muted``: whether nothing is to be
    told of it. ``take``: takes the anomaly of values that lasts of a row away, if there is one
    below expected, to go on as a finding. ``lasts``: whether one lasts.
    """

    labels: Sequence[Labels]
    last: LastSamples
    at_ms: int
    false_alarms: NDArray[np.float64]
    muted: NDArray[np.bool_]
    take: Callable[[int], Anomaly | None]
    lasts: Callable[[int], bool]


class GapJudge:
    """The part of the judge that looks for what does not come.

    ``derived`` has the series that are made here and come by traffic, not by the clock: they are
    not watched.
    """

    def __init__(self, derived: Callable[[Labels], bool] = lambda labels: False) -> None:
        self._watch = Watch()
        self._traffic = TrafficWatch()
        self._kin = Kin(derived)
        self._findings = Findings()
        self._silent = Silent(np.empty(0, np.int64), np.empty(0, np.int64))
        self._back: list[int] = []

    @property
    def bytes_per_series(self) -> int:
        """How much memory one series takes."""
        return self._watch.state.bytes_per_series + self._traffic.state.bytes_per_series

    @property
    def rows(self) -> frozenset[int]:
        """The rows of which a finding lasts."""
        return self._findings.rows

    def follow(
        self,
        came: Arrivals,
        since_ms: int,
        until_ms: int,
        labels: Sequence[Labels],
        *,
        live: bool = False,
    ) -> None:
        """Take in what samples came between. ``live``: it is judged at once."""
        self._kin.take_in(labels)
        kept = ~self._kin.derived[came.rows]
        if not kept.all():
            came = came.only(kept)
        back = self._watch.follow(came, since_ms, until_ms, live=live)
        if len(back):
            self._back += back.tolist()
            counted = back[(self._watch.state.out[back] & COUNTED) > 0]
            self._kin.leave(np.unique(self._kin.family[counted]), -1.0)
            self._watch.state.out[counted] &= np.uint8(0xFF ^ COUNTED)
        self._kin.forget((until_ms - since_ms) / 1000.0)

    def excuse(self, rows: Rows) -> None:
        """What does not come of these rows now is no gap of theirs, neither told nor learnt."""
        self._watch.state.at[rows] = self._watch.clock

    def rates(
        self,
        rows: Rows,
        seconds: NDArray[np.int64],
        values: NDArray[np.float64],
        counter: NDArray[np.bool_],
        false_alarms: NDArray[np.float64] | float = 0.0,
        season: NDArray[np.int64] | None = None,
    ) -> None:
        """Take in the new points of rows; those that are no counters are passed over.

        ``counter`` is by row, ``false_alarms`` of each of these rows: where it is infinite,
        nothing is missed. ``season``: the local seconds whose usual rate is expected, where these
        are others.
        """
        waits = np.broadcast_to(np.asarray(false_alarms), rows.shape)
        excused = np.isinf(waits) & counter[rows]
        self._traffic.excuse(rows[excused], seconds[excused])
        mine = counter[rows] & ~excused
        self._silent = self._traffic.follow(
            rows[mine],
            seconds[mine],
            values[mine],
            waits[mine],
            None if season is None else season[mine],
        )

    def judge(self, tick: Tick) -> list[Anomaly]:
        """The findings that began or ended by now."""
        size = len(tick.labels)
        at = tick.at_ms / 1000.0
        changed = self._findings.recover(STOPS, frozenset(self._back), at)
        self._back = []
        stopped = self._watch.overdue(size, tick.false_alarms[:size])
        changed += self._stops(stopped[~tick.muted[stopped]], tick)
        begun, over = self._watch.lossy(size, tick.false_alarms[:size])
        changed += self._findings.recover(frozenset({LOST_SAMPLES}), _set(over), at)
        changed += self._lossy(begun[~tick.muted[begun]], tick)
        silent, over = self._silent
        changed += self._findings.recover(frozenset({NO_TRAFFIC}), _set(over), at)
        changed += self._without_traffic(silent[~tick.muted[silent]], tick)
        return changed + self._findings.accept(at)

    # What stopped

    def _stops(self, rows: Rows, tick: Tick) -> Iterator[Anomaly]:
        if not len(rows):
            return
        newest_born = self._newest_born(len(tick.labels))
        for source, mine in self._by_source(rows):
            finding = self._stop(source, mine, newest_born, tick)
            if finding is not None:
                yield finding

    def _stop(
        self, source: int, rows: Rows, newest_born: NDArray[np.int64], tick: Tick
    ) -> Anomaly | None:
        state, size = self._watch.state, len(tick.labels)
        stopped_ms = int(np.median(state.newest[rows]))
        of_source = np.flatnonzero(self._kin.source[:size] == source)
        of_source = of_source[state.count[of_source] > 0]
        slack = float(state.interval[rows].max()) * _RIGHT_AFTER * 1000.0
        on = of_source[state.newest[of_source] > stopped_ms + slack]
        up = of_source[self._kin.is_up[of_source]]
        siblings_on = np.setdiff1d(on, up)
        if len(siblings_on):
            return self._series_stopped(source, rows, len(siblings_on), newest_born, tick)
        if len(up):
            return self._target_down(source, rows, np.intersect1d(up, on), tick)
        return self._source_stopped(source, rows, of_source, newest_born, tick)

    def _series_stopped(
        self, source: int, rows: Rows, going_on: int, newest_born: NDArray[np.int64], tick: Tick
    ) -> Anomaly | None:
        """Some series of a source, while others of it go on: unless they come and go by nature."""
        families = self._kin.family[rows]
        stopped = self._watch.state.newest[rows]
        replaced = newest_born[families] >= stopped - _REPLACED_MS
        fleeting = replaced | (self._kin.left(families) >= COMES_AND_GOES)
        told = rows[~fleeting]
        self._kin.leave(np.unique(families))
        self._watch.state.out[rows] |= COUNTED
        if 2 * len(told) <= len(rows):
            return None
        name = self._kin.sources[source]
        if self._findings.found(SERIES_STOPPED, name):
            self._findings.join(SERIES_STOPPED, name, told.tolist())
            return None
        first = self._first(told, tick)
        note = (
            f"No sample for {self._silent_for(first)}, where one came every "
            f"{length(float(self._watch.state.interval[first]))}"
            f"{others(len(told) - 1, 'its target')}{siblings(going_on)}."
        )
        return self._begin(SERIES_STOPPED, name, first, told, note, tick)

    def _target_down(self, source: int, rows: Rows, up: Rows, tick: Tick) -> Anomaly | None:
        """All series of a scraped target: it left for good, or ``up`` still says that it is down.

        Where the values of ``up`` are an anomaly already, that says it.
        """
        if not len(up) or tick.lasts(int(up[0])) or float(tick.last.value[up[0]]) != 0:
            return None
        note = (
            f"The target is down: its {len(rows)} series stopped {self._silent_for(int(rows[0]))} "
            "ago, and its scrapes fail."
        )
        return self._begin(TARGET_DOWN, self._kin.sources[source], int(up[0]), rows, note, tick)

    def _source_stopped(
        self,
        source: int,
        rows: Rows,
        of_source: Rows,
        newest_born: NDArray[np.int64],
        tick: Tick,
    ) -> Anomaly | None:
        """All series of one who pushes, who did not say goodbye by staleness markers."""
        state = self._watch.state
        # Those that came and went before the others say nothing of the source.
        present = of_source[state.newest[of_source] >= state.newest[rows].min() - _REPLACED_MS]
        rows = present[(state.out[present] & STOPPED) > 0]
        if 2 * len(rows) < len(present):
            return None  # the others will tell
        name = self._kin.sources[source]
        everything = int(state.newest[: len(tick.labels)].max()) <= int(state.newest[rows].max())
        place = EVERYTHING if everything else name
        if self._findings.found(SOURCE_STOPPED, place):
            self._findings.join(SOURCE_STOPPED, place, rows.tolist())
            return None
        kind = self._kin.job_family(name)
        replaced = (newest_born[self._kin.family[rows]] >= state.newest[rows] - _REPLACED_MS).any()
        fleeting = bool(replaced) or float(state.ended[rows].mean()) > 0.5
        fleeting |= float(self._kin.left(kind)[0]) >= COMES_AND_GOES
        self._kin.leave(kind)
        if fleeting:
            return None
        first = self._first(rows, tick)
        ends = "nothing at all comes any more" if everything else "nothing of it goes on"
        note = (
            f"No sample for {self._silent_for(first)}, where one came every "
            f"{length(float(state.interval[first]))}{others(len(present) - 1, str(name))}: {ends}."
        )
        return self._begin(SOURCE_STOPPED, place, first, rows, note, tick)

    # Lost samples, and traffic that ended

    def _lossy(self, rows: Rows, tick: Tick) -> Iterator[Anomaly]:
        state, size = self._watch.state, len(tick.labels)
        for source, mine in self._by_source(rows):
            name = self._kin.sources[source]
            if self._findings.found(LOST_SAMPLES, name):
                self._findings.join(LOST_SAMPLES, name, mine.tolist())
                continue
            of_source = self._kin.source[:size] == source
            whole = of_source & (state.lost[:size] < 0.1) & (state.count[:size] > 0)
            whole &= (state.out[:size] & STOPPED) == 0
            first = self._first(mine, tick)
            note = (
                f"{float(state.lost[first]):.0%} of its samples of late are missing, "
                f"{float(state.lost_most[first]):.0%} at most before"
                f"{others(len(mine) - 1, 'its target')}"
                f"{siblings(int(whole.sum()), 'has all', 'have all')}."
            )
            yield self._begin(LOST_SAMPLES, name, first, mine, note, tick)

    def _without_traffic(self, rows: Rows, tick: Tick) -> Iterator[Anomaly]:
        for source, mine in self._by_source(rows):
            name = self._kin.sources[source]
            if self._findings.found(NO_TRAFFIC, name):
                self._findings.join(NO_TRAFFIC, name, mine.tolist())
                continue
            first = max(mine.tolist(), key=lambda row: (tick.lasts(row), self._traffic.missed(row)))
            missed, run = self._traffic.missed(first)
            note = (
                f"Traffic went to zero: nothing was counted for {length(run)}, where {missed:.0f} "
                "were to be expected; never was it zero for half as long at this hour"
                f"{others(len(mine) - 1, 'its target')}."
            )
            began = tick.at_ms / 1000.0 - run
            yield self._findings.begin(
                NO_TRAFFIC,
                name,
                tick.labels[first],
                mine.tolist(),
                began,
                0.0,
                note,
                tick.take(first),
            )

    # What they have in common

    def _begin(
        self, cause: str, source: Source, row: int, rows: Rows, note: str, tick: Tick
    ) -> Anomaly:
        at = float(self._watch.state.newest[rows].min()) / 1000.0
        value = float(np.nan_to_num(tick.last.value[row]))
        return self._findings.begin(cause, source, tick.labels[row], rows.tolist(), at, value, note)

    def _by_source(self, rows: Rows) -> Iterable[tuple[int, Rows]]:
        found: dict[int, list[int]] = defaultdict(list)
        for row in rows.tolist():
            found[int(self._kin.source[row])].append(row)
        return [(source, np.array(mine)) for source, mine in found.items()]

    def _newest_born(self, size: int) -> NDArray[np.int64]:
        """When the newest series of each kind came."""
        found = np.zeros(len(self._kin.families), dtype=np.int64)
        np.maximum.at(found, self._kin.family[:size], self._watch.state.born[:size])
        return found

    def _silent_for(self, row: int) -> str:
        return length((self._watch.clock - int(self._watch.state.at[row])) / 1000.0)

    @staticmethod
    def _first(rows: Rows, tick: Tick) -> int:
        return int(min(rows.tolist(), key=lambda row: tick.labels[row]))

    # State

    def resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, and have room for ``size``."""
        self._watch.resize(rows, size)
        self._traffic.resize(rows, size)
        if len(rows) < len(self._kin.source) and len(rows):
            self._kin.keep(rows)
        self._findings.moved({old: new for new, old in enumerate(rows.tolist())})

    def arrays(self) -> dict[str, AnyArray]:
        """The whole state, for a file."""
        left = np.frombuffer(self._kin.written(), dtype=np.uint8)
        return {**self._watch.arrays(), **self._traffic.arrays(), "gaps_left": left}

    def take_up(self, arrays: Mapping[str, Any], size: int) -> None:
        """Go on from what ``arrays`` gave; an older file has nothing of it.

        Raises:
            KeyError, ValueError: it was written by a version with another state.
        """
        if "gaps_left" not in arrays:
            self.resize(np.arange(0), size)
            return
        self._watch.take_up(arrays)
        self._traffic.take_up(arrays)
        self._kin.take_up(arrays["gaps_left"].tobytes())

    def restore(self, labels: Sequence[Labels], anomalies: Iterable[Anomaly]) -> None:
        """Take up the findings that had not ended when another process stopped."""
        rows = {each: row for row, each in enumerate(labels)}
        for anomaly in anomalies:
            if anomaly.cause in GAPS and anomaly.labels in rows:
                row, source = rows[anomaly.labels], source_of(anomaly.labels)
                self._findings.restore(anomaly, row, source)


def _set(rows: Rows) -> frozenset[int]:
    return frozenset(rows.tolist())
