"""Scores every series as its points arrive: what was expected, how rare it is, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection.streaming import novelty, recurrence, statistics
from pynomaly.detection.streaming import predictor as prediction
from pynomaly.detection.streaming.columns import AnyArray, Column, Columns, FloatArray, Lanes, Rows
from pynomaly.detection.streaming.novelty import Novelty
from pynomaly.detection.streaming.predictor import Predictor
from pynomaly.detection.streaming.rarity import MIN_POINTS, NEVER, RarityJudge, Records, records_of
from pynomaly.detection.streaming.recurrence import Yesterday
from pynomaly.detection.streaming.statistics import TAILS, Averages

_BLOCK_ROWS = 16_384
"""Series that are worked on at once: with fewer, calling NumPy costs more than the work."""
_MOST = 1e15
_WEEK = 604_800.0
_FIRST_INTERVAL = 60.0
_GAP = 12.0
"""Intervals without a point after which what was last is no guide to what is next."""

_RECENT_POINTS = np.float32(60.0)
_USUAL_POINTS = np.float32(6000.0)
_WEIGHT = np.float32(2.0)
"""Of what the last points have in common, beside the newest point alone."""
_EXTREME = np.float32(5.0)
_GATHERING = np.float32(0.75)
"""Decades by which the sum is commoner than the rarity of one point; measured likewise."""

HALF = 0.5
"""The score of what is to be expected about once a week."""
PER_DECADE = 0.1
"""How much each tenfold rarity adds to the score."""
_TOGETHER = np.float32(0.6)
"""Decades by which the rarest of ten statistics is commoner than one of them alone; measured on
generated series without anomalies (``make bench-detection``)."""


@dataclass(slots=True)
class Normaliser(Columns):
    """The origin and unit in which a series is kept, so that single precision is enough."""

    origin: NDArray[np.float64]
    unit: NDArray[np.float64]
    newest: NDArray[np.int64]
    interval: NDArray[np.float64]

    SPEC: ClassVar = {
        "origin": Column(dtype=np.float64),
        "unit": Column(dtype=np.float64),
        "newest": Column(dtype=np.int64),
        "interval": Column(dtype=np.float64),
    }


@dataclass(slots=True)
class Evidence(Lanes):
    """Running means of the rarity of each series' points, in decades: of late, and usual."""

    recent: FloatArray
    usual: FloatArray
    points: NDArray[np.int32]

    SPEC: ClassVar = {
        "recent": Column(),
        "usual": Column(),
        "points": Column(dtype=np.int32),
    }


class Scored(NamedTuple):
    """The verdict on one point of each series, all ``[series]``.

    ``score``: 0 to 1; 0.5 is passed about once a week by a series without anomalies, and each
    further 0.1 is ten times rarer; NaN while the series is not known well enough. ``expected``,
    ``lower``, ``upper``: in the series' own unit; NaN likewise. ``rarity``: the decades below once
    a week behind the score, not bounded. ``cause``: the statistic (of ``TAILS``) that is rarest.
    ``direction``: 1 above what was expected, -1 below.
    """

    score: NDArray[np.float64]
    expected: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    rarity: NDArray[np.float64]
    cause: NDArray[np.int64]
    direction: NDArray[np.float64]


class _Found(NamedTuple):
    """What was found at one point of each series; see ``Scored``."""

    rarity: FloatArray
    gathered: FloatArray
    known: NDArray[np.bool_]
    cause: NDArray[np.int64]
    direction: NDArray[np.float64]


class _Points(NamedTuple):
    """One new point of each series; see ``StreamScorer.update``."""

    seconds: NDArray[np.int64]
    season: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(slots=True)
class _State:
    """What is known of the series, part by part."""

    normaliser: Normaliser
    predictor: Predictor
    averages: Averages
    novelty: Novelty
    records: Records
    yesterday: Yesterday
    evidence: Evidence

    @classmethod
    def blank(cls, rows: int) -> "_State":
        return cls(*(kind.blank(rows) for kind in _KINDS))  # type: ignore[arg-type]

    def parts(self) -> Iterator[tuple[str, Columns]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))

    def view(self, rows: slice) -> "_State":
        return _State(*(part.view(rows) for _, part in self.parts()))  # type: ignore[arg-type]

    def take(self, rows: Rows) -> "_State":
        return _State(*(part.take(rows) for _, part in self.parts()))  # type: ignore[arg-type]

    def put(self, rows: Rows, block: "_State") -> None:
        for name, part in self.parts():
            part.put(rows, getattr(block, name))


_KINDS: tuple[type[Columns], ...] = (
    Normaliser,
    Predictor,
    Averages,
    Novelty,
    records_of(TAILS),
    Yesterday,
    Evidence,
)


class StreamScorer:
    """The state of many series, and the verdict on each new point.

    Causal: a point is judged by what came before it. The series do not influence each other, so
    their order does not matter. Under 4 KB a series (``bytes_per_series``).
    """

    def __init__(self, size: int = 0, min_points: int = MIN_POINTS) -> None:
        self._judge = RarityJudge(TAILS, min_points)
        self._state = _State.blank(size)
        self.size = size

    @property
    def bytes_per_series(self) -> int:
        """How much memory one series takes."""
        return sum(part.bytes_per_series for _, part in self._state.parts())

    def points(self, rows: Rows) -> NDArray[np.int32]:
        """How many points of these series were seen."""
        return self._state.predictor.count[rows]

    def interval(self, rows: Rows) -> NDArray[np.float64]:
        """Seconds between the points of these series, as far as seen; a minute before that."""
        return _interval(self._state.normaliser.interval[rows])

    def resize(self, rows: Rows, size: int) -> None:
        """Keep these rows, in this order, and have room for ``size``."""
        kept = (part.resized(rows, size) for _, part in self._state.parts())
        self._state = _State(*kept)  # type: ignore[arg-type]
        self.size = size

    def arrays(self) -> dict[str, AnyArray]:
        """The whole state, for a file."""
        named = (part.arrays(name) for name, part in self._state.parts())
        return {key: array for arrays in named for key, array in arrays.items()}

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, AnyArray], min_points: int = MIN_POINTS
    ) -> "StreamScorer":
        """What ``arrays`` gave.

        Raises:
            KeyError, ValueError: it was written by a version with another state.
        """
        scorer = cls(min_points=min_points)
        names = [name for name, _ in scorer._state.parts()]
        parts = (kind.of_arrays(n, arrays) for kind, n in zip(_KINDS, names, strict=True))
        scorer._state = _State(*parts)  # type: ignore[arg-type]
        scorer.size = len(scorer._state.normaliser.origin)
        return scorer

    def update(
        self,
        rows: Rows,
        seconds: NDArray[np.int64],
        values: NDArray[np.float64],
        season: NDArray[np.int64] | None = None,
        learn: NDArray[np.bool_] | None = None,
    ) -> Scored:
        """Judge one new point of each of these series, then learn from it.

        ``rows``: int64, rising. ``seconds``: the local time of each point as epoch seconds shifted
        by the zone's offset; ``values``: no NaN; infinite values are taken as very large.
        ``season``: the local time whose usual values are expected, if it is another: that of a
        Sunday on a holiday. ``learn``: which of the points are learnt from; all unless given.
        """
        season = seconds if season is None else season
        found = []
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for start in range(0, len(rows), _BLOCK_ROWS):
                part = slice(start, start + _BLOCK_ROWS)
                points = _Points(seconds[part], season[part], values[part])
                learnt = None if learn is None or learn[part].all() else learn[part]
                found.append(self._update(rows[part], points, learnt))
        if len(found) == 1:
            return found[0]
        return Scored(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _update(self, rows: Rows, points: _Points, learn: NDArray[np.bool_] | None) -> Scored:
        first, beyond = int(rows[0]), int(rows[-1]) + 1
        together = beyond - first == len(rows)
        block = self._state.view(slice(first, beyond)) if together else self._state.take(rows)
        untaught = None if learn is None else np.flatnonzero(~learn)
        before = None if untaught is None else block.take(untaught)
        scored = self._judge_block(block, points)
        if untaught is not None and before is not None:
            block.put(untaught, before)
        if not together:
            self._state.put(rows, block)
        return scored

    def _judge_block(self, block: "_State", points: _Points) -> Scored:
        predictor = block.predictor
        new = predictor.count == 0
        missed = _missed(block.normaliser, points.seconds)
        y, interval = _normalised(block.normaliser, points.values, points.seconds, new)
        if new.any():
            prediction.begin(predictor, y, new)
            statistics.begin(block.averages, y, new)
        if missed.any():
            _resume(block, y, points.season, missed, interval)
        predictor.count += 1
        per_week = (_WEEK / interval).astype(np.float32)
        forecast = prediction.predict(predictor, _common(points.season))
        measured = statistics.measure(block.averages, block.novelty, predictor, forecast, y)
        rarity, half_band = self._judge.judge(
            block.records, measured.statistics, measured.quanta, predictor.count, per_week
        )
        prediction.learn(predictor, forecast, y, per_week / np.float32(7.0))
        found = self._found(block, rarity, _common(points.seconds), np.sign(y - forecast.value))
        return _verdict(block.normaliser, found, forecast.value, measured.scale * half_band)

    @staticmethod
    def _found(
        block: "_State", rarity: FloatArray, seconds: NDArray[np.int64], direction: FloatArray
    ) -> _Found:
        cause = rarity.argmax(axis=0)
        rarest = rarity[cause, np.arange(len(cause))]
        known = rarest > NEVER
        rarest -= recurrence.relief(block.yesterday, rarest, seconds)
        rarest -= _TOGETHER
        gathered = _gathered(block.evidence, rarest, known)
        return _Found(rarest, gathered, known, cause, direction.astype(np.float64))


def _missed(state: Normaliser, seconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds that each series had no point for, if it is many of its intervals; 0 otherwise."""
    away = (seconds - state.newest).astype(np.float64)
    away[(state.interval == 0) | (away <= _GAP * state.interval)] = 0.0
    return away


def _resume(
    block: _State,
    y: FloatArray,
    season: NDArray[np.int64],
    missed: NDArray[np.float64],
    interval: NDArray[np.float64],
) -> None:
    """Let series that had a gap go on."""
    rows = np.flatnonzero(missed)
    prediction.resume(block.predictor, rows, y[rows], season[rows], missed[rows], interval[rows])
    novelty.resume(block.novelty, rows)


def _normalised(
    state: Normaliser,
    values: NDArray[np.float64],
    seconds: NDArray[np.int64],
    new: NDArray[np.bool_],
) -> tuple[FloatArray, NDArray[np.float64]]:
    """The values in the unit of each series, and its usual interval in seconds."""
    state.origin[new] = values[new]
    away = values - state.origin
    unit_unknown = (state.unit == 0) & (away != 0) & np.isfinite(away)
    state.unit[unit_unknown] = np.abs(away[unit_unknown])
    passed = (seconds - state.newest).astype(np.float64)
    usable = ~new & (passed > 0)
    first = usable & (state.interval == 0)
    state.interval[first] = passed[first]
    # The interval is the usual gap: a long one says nothing of it, shorter ones do.
    closer = usable & (passed < 2 * state.interval)
    state.interval[closer] += (passed[closer] - state.interval[closer]) * 0.1
    np.maximum(state.newest, seconds, out=state.newest)
    unit = np.where(state.unit > 0, state.unit, 1.0)
    y = np.clip(away / unit, -_MOST, _MOST).astype(np.float32)
    return y, _interval(state.interval)


def _common(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The one time of all series if it is the same, as it mostly is."""
    return seconds[:1] if (seconds == seconds[0]).all() else seconds


def _interval(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(seen > 0, seen, _FIRST_INTERVAL)


def _verdict(
    normaliser: Normaliser, found: _Found, expected: FloatArray, half_band: FloatArray
) -> Scored:
    """What was found, in the unit of each series."""
    score = np.clip(HALF + PER_DECADE * (found.rarity + found.gathered).astype(np.float64), 0, 1)
    unit = np.where(normaliser.unit > 0, normaliser.unit, 1.0)
    middle = normaliser.origin + expected.astype(np.float64) * unit
    half = half_band.astype(np.float64) * unit
    for each in (score, middle, half):
        each[~found.known] = np.nan
    rarity = found.rarity.astype(np.float64)
    return Scored(score, middle, middle - half, middle + half, rarity, found.cause, found.direction)


def _gathered(state: Evidence, rarity: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Decades that the last points add together: how much rarer they are than is usual here."""
    now = np.clip(rarity, -_EXTREME, _EXTREME)
    state.points += known
    seen = np.maximum(state.points, 1).astype(np.float32)
    for mean, points in ((state.recent, _RECENT_POINTS), (state.usual, _USUAL_POINTS)):
        mean += (now - mean) / np.minimum(seen, points) * known
    return _WEIGHT * (state.recent - state.usual) - _GATHERING
