"""The judge of every series: reads what is new, scores it, writes verdicts, tells anomalies."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from pynomaly.detection import memory, telemetry
from pynomaly.detection.budget import ServiceBudget, Telling
from pynomaly.detection.company import Company
from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.events import Anomaly
from pynomaly.detection.excluded import Excluded, Exclusions, Happenings
from pynomaly.detection.gaps.findings import GAPS
from pynomaly.detection.gaps.service import GapJudge, Tick
from pynomaly.detection.histograms import Histograms, is_quantile, no_samples, together
from pynomaly.detection.lasting import CAUSES, Judged, Lasting
from pynomaly.detection.lessons import Lessons
from pynomaly.detection.points import Points, between
from pynomaly.detection.repository import AnomalyLog
from pynomaly.detection.rules.applied import Applied
from pynomaly.detection.rules.config import AnomalyRule
from pynomaly.detection.streaming.columns import Rows
from pynomaly.detection.streaming.episodes import Changes, EpisodeMachine
from pynomaly.detection.streaming.scorer import Scored, StreamScorer
from pynomaly.detection.verdicts import Verdicts
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.matcher import compile_anchored
from pynomaly.model.samples import SampleBatch, SeriesSamples
from pynomaly.promql.contract import Querier, QueryError
from pynomaly.storage.bus import Bus
from pynomaly.storage.peer.errors import PeerAway
from pynomaly.storage.samples.contract import Appender

log = logging.getLogger(__name__)

TOPIC = "anomalies"

# Verdicts are not judged again; buckets, sums and facts have no usual value of their own; and how
# long one's own measuring took is not what is watched.
_NOT_JUDGED = (
    r"anomaly_.*|ALERTS.*|slo:.*|capacity_.*|scrape_.*|node_scrape_.*"
    r"|.*_bucket|.*_sum|.*_created|.*_info"
)

_BUCKET_SELECTOR = '{__name__=~".+_bucket",le!=""}'
_BUCKETS = 10
"""For each series that may be judged, so many buckets of histograms may be read."""
_PIECE_SECONDS = 1200.0
"""History that is read at once."""
_STOPPED_SECONDS = 3600.0
"""An anomaly of a series without samples for so long is over."""
_FORGET_SECONDS = 7 * 86_400.0
"""A series that is gone for so long begins anew."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many series are judged, and of how many too little was seen yet."""

    judged: int = 0
    learning: int = 0


class Judge:
    """Periodic work for the scheduler: run ``judge(due)`` every ``settings.interval`` seconds.

    Reads only what came since its last run; the first run learns from history, or from where the
    state in ``state_file`` ends. Keeps some 4 KB of state a series.
    """

    def __init__(
        self,
        querier: Querier,
        appender: Appender,
        settings: DetectionSettings | None = None,
        *,
        anomalies: AnomalyLog | None = None,
        bus: Bus | None = None,
        state_file: Path | None = None,
        calendar: Happenings | None = None,
    ) -> None:
        self._settings = settings or DetectionSettings()
        self._querier = querier
        self._appender = appender
        self._anomalies = anomalies
        self._bus = bus
        self._file = state_file
        self._zone = ZoneInfo(self._settings.timezone)
        self._step = round(self._settings.interval * 1000)
        self._scorer = StreamScorer(min_points=self._settings.min_points)
        self._episodes = EpisodeMachine(budget=self._settings.budget)
        self._lasting = Lasting()
        self._handicaps: Mapping[Labels, float] = {}
        self._rules = Applied(self._settings.budget)
        self._lessons = Lessons(CAUSES)
        self._budget = ServiceBudget(self._settings.service_budget, self._settings.budget)
        self._bar = np.empty(0)
        self._said: tuple[Sequence[Anomaly], Sequence[Telling]] | None = None
        self._new_rules: Sequence[AnomalyRule] | None = self._settings.rules
        self.progress = Progress()
        self._histograms = Histograms(_BUCKETS * self._settings.max_series)
        self._gaps = GapJudge(is_quantile)
        self._company = Company(self._settings)
        self._exclusions = Exclusions(calendar)
        self._excluded: Excluded | None = None
        self._points = Points(self._settings.max_series, self._resize)
        self._verdicts = Verdicts(self._settings.floor, self._settings.band_from)
        self._watched = compile_anchored(self._settings.watch or "^$")
        self._seen_to = 0
        names = _NOT_JUDGED + (f"|{self._settings.exclude}" if self._settings.exclude else "")
        escaped = names.replace("\\", "\\\\").replace('"', '\\"')
        self._selector = f'{{__name__=~".+",__name__!~"{escaped}"}}'

    async def start(self) -> None:
        """Take up the state of an earlier run, if there is one."""
        if self._file is not None:
            await asyncio.to_thread(self._restore, self._file)

    def series(self) -> list[Labels]:
        """The series that are judged, or will be when they have enough points."""
        return list(self._points.labels)

    def take_handicaps(self, decades: Mapping[Labels, float]) -> None:
        """From now on an anomaly of these series must be rarer, by so many decades, to begin."""
        self._handicaps = decades

    def take_rules(self, rules: Sequence[AnomalyRule]) -> None:
        """From the next run on these rules hold, and no others."""
        self._new_rules = rules

    def take_lessons(self, judged: Sequence[Anomaly], tellings: Sequence[Telling]) -> None:
        """From the next run on this is what was said of anomalies, and what was told."""
        self._said = judged, tellings

    def matched(self) -> list[int]:
        """Of each rule that holds, how many series it matches."""
        return self._rules.matched()

    async def close(self) -> None:
        """Save the state."""
        if self._file is not None:
            await asyncio.to_thread(self._save, self._file)

    async def save(self, due: float) -> None:
        """Save the state, so that a crash costs little."""
        await self.close()

    async def __call__(self, due: float) -> None:
        """Judge what came until ``due`` (epoch seconds) and write the verdicts with that time.

        Raises:
            QueryError, QueryTimeout, PeerAway: the samples cannot be read; the next run reads them.
            EngineBusy, DiskFull, PeerAway: the verdicts were not stored.
        """
        with telemetry.SECONDS.time():
            batch, changed = await self._run(round(due * 1000))
        if len(batch):
            await self._appender.append(batch)
        await self._tell(changed)

    async def _run(self, due_ms: int) -> tuple[SampleBatch, list[Anomaly]]:
        self._take_new()
        await self._rules.read_traffic(self._querier, due_ms)
        await self._catch_up(due_ms - self._step)
        since_ms = max(self._seen_to, due_ms - self._step)
        samples, buckets = await self._read(since_ms, due_ms)
        return await asyncio.to_thread(self._judge, samples, buckets, since_ms, due_ms)

    def _take_new(self) -> None:
        """Take up what people decided meanwhile."""
        if self._new_rules is not None:
            self._rules.take(self._new_rules)
            self._new_rules = None
        if self._said is not None:
            judged, tellings = self._said
            self._lessons.take(judged)
            self._budget.take(tellings)
            self._said = None

    def _look(self) -> None:
        """Take in the series that are new."""
        for part in (self._rules, self._lessons, self._budget):
            part.look(self._points.labels)

    async def _catch_up(self, until_ms: int) -> None:
        """Learn from what was stored before, piece by piece, so that memory stays bounded."""
        back = round(self._settings.history * 1000) // self._step * self._step
        start = max(self._seen_to, until_ms - back)
        piece = max(1, round(_PIECE_SECONDS * 1000) // self._step) * self._step
        for since in range(start, until_ms, piece):
            until = min(since + piece, until_ms)
            try:
                samples, buckets = await self._read(since, until)
            except PeerAway:
                raise  # the next run reads it
            except PynomalyError as error:
                log.warning("history is left out of what is usual: %s", error)
                return
            await asyncio.to_thread(self._learn, samples, buckets, since, until)

    async def _read(self, since_ms: int, until_ms: int) -> tuple[SeriesSamples, SeriesSamples]:
        """The samples later than ``since_ms``, up to ``until_ms``; those of buckets apart."""
        samples, buckets = await asyncio.gather(
            self._select(self._selector, since_ms, until_ms),
            self._select(_BUCKET_SELECTOR, since_ms, until_ms),
        )
        self._seen_to = until_ms
        return samples, buckets

    async def _select(self, selector: str, since_ms: int, until_ms: int) -> SeriesSamples:
        if selector == _BUCKET_SELECTOR and not self._settings.histograms:
            return no_samples()
        found = await self._querier.instant(f"{selector}[{until_ms - since_ms}ms]", until_ms)
        if not isinstance(found.value, SeriesSamples):
            raise QueryError("a range selector did not give samples")
        return found.value

    def _learn(
        self, samples: SeriesSamples, buckets: SeriesSamples, since_ms: int, until_ms: int
    ) -> None:
        if not len(samples.ts) + len(buckets.ts):
            return
        for start in range(since_ms, until_ms, self._step):
            end = min(start + self._step, until_ms)
            made = self._histograms.points(between(buckets, start, end))
            part = together(between(samples, start, end), made)
            rows, ms, values = self._points.next_points(part)
            self._look()
            self._gaps.follow(self._points.arrived, start, end, self._points.labels)
            self._exclude(start, end)
            if len(rows):
                self._step_all(rows, ms, values)

    def _judge(
        self, samples: SeriesSamples, buckets: SeriesSamples, since_ms: int, due_ms: int
    ) -> tuple[SampleBatch, list[Anomaly]]:
        samples = together(samples, self._histograms.points(buckets))
        rows, ms, values = self._points.next_points(samples)
        self._look()
        self._gaps.follow(self._points.arrived, since_ms, due_ms, self._points.labels, live=True)
        self._exclude(since_ms, due_ms)
        telemetry.SERIES.set(len(self._points))
        telemetry.LEFT_OUT.set(self._points.left_out)
        if not len(rows):
            changed = self._missing(due_ms) + self._over(due_ms)
            return SampleBatch.of([]), self._decided(changed, None, due_ms)
        scored, changes = self._step_all(rows, ms, values)
        known = ~np.isnan(scored.score)
        telemetry.JUDGED.inc(int(np.count_nonzero(known)))
        self.progress = Progress(int(np.count_nonzero(known)), int(np.count_nonzero(~known)))
        telemetry.KNOWN.set(self.progress.judged)
        telemetry.LEARNING.set(self.progress.learning)
        labels = [self._points.labels[row] for row in rows.tolist()]
        watched = np.array([bool(self._watched.fullmatch(each.name)) for each in labels])
        batch = self._verdicts.batch(labels, scored, watched, due_ms)
        judged = Judged(rows, values, scored, changes, self._company.beside)
        known_rows = self._points.labels
        changed = self._lasting.changed(judged, known_rows, due_ms / 1000, self._gaps.rows)
        changed += self._rules.allowed(
            self._company.told(judged, known_rows, self._lasting, due_ms / 1000),
            self._points.row_of,
            self._lasting,
        )
        changed += self._missing(due_ms) + self._over(due_ms)
        changed = self._decided(changed, judged, due_ms)
        if self._points.forget(due_ms - round(_FORGET_SECONDS * 1000)):
            self._verdicts.forget_but(self._points.labels)
            self._histograms.forget(due_ms - round(_FORGET_SECONDS * 1000))
        return batch, changed

    def _decided(
        self, changed: Sequence[Anomaly], judged: Judged | None, due_ms: int
    ) -> list[Anomaly]:
        """The same, each told or not, and those that are told only now."""
        row_of = self._points.row_of
        return self._budget.decide(changed, judged, row_of, self._bar, due_ms / 1000)

    def _exclude(self, since_ms: int, until_ms: int) -> None:
        """Look what the calendar excludes of the points that came between."""
        self._excluded = self._exclusions.between(since_ms, until_ms, self._points.labels)
        if self._excluded is not None:
            self._gaps.excuse(np.flatnonzero(~self._excluded.alarm))

    def _step_all(
        self, rows: Rows, ms: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[Scored, Changes]:
        seconds = ms // 1000 + self._offset(int(ms[0]))
        excluded = self._excluded.of(rows) if self._excluded else None
        season, learn = (excluded.season(seconds), excluded.learn) if excluded else (None, None)
        scored = self._scorer.update(rows, seconds, values, season, learn)
        interval, handicap = self._scorer.interval(rows), self._handicap(rows)
        scored = self._company.heed(rows, self._points.labels, values, scored, interval, excluded)
        waits = excluded.waits(handicap) if excluded else handicap
        self._gaps.rates(rows, seconds, values, self._points.last.counter, waits, season)
        rarity = excluded.rarity(scored) if excluded else scored.rarity
        handicap = self._lessons.decades(rows, scored.cause, scored.direction, handicap)
        handicap = handicap + self._rules.handicap(rows, values, scored.expected)
        self._bar = self._episodes.bar + handicap
        changes = self._episodes.step(rows, rarity, interval, handicap)
        return scored, excluded.told(changes) if excluded else changes

    def _handicap(self, rows: Rows) -> NDArray[np.float64]:
        """Decades for each of these rows, which rise."""
        found = np.zeros(len(rows))
        for labels, decades in self._handicaps.items():
            row = self._points.row_of(labels)
            if row is not None:
                at = int(np.searchsorted(rows, row))
                if at < len(rows) and rows[at] == row:
                    found[at] = decades
        return found

    def _missing(self, due_ms: int) -> list[Anomaly]:
        """What does not come that should, and what comes again."""
        waits = self._handicap(np.arange(len(self._points)))
        if self._excluded is not None:
            waits = self._excluded.waits(waits)
        return self._gaps.judge(
            Tick(
                self._points.labels,
                self._points.last,
                due_ms,
                waits,
                self._rules.muted_below(len(self._points)),
                self._lasting.take_below,
                self._lasting.__contains__,
            )
        )

    def _offset(self, at_ms: int) -> int:
        """Seconds by which the zone's clocks are ahead of UTC."""
        if self._settings.timezone == "UTC":
            return 0
        offset = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone).utcoffset()
        return round(offset.total_seconds()) if offset else 0

    def _over(self, due_ms: int) -> list[Anomaly]:
        """The end of anomalies whose series stopped, or whose episode closed unseen.

        The former end with the last sample. The latter closed while the judge caught up.
        """
        ended = []
        for row, anomaly in self._lasting.items():
            newest_ms = int(self._points.last.ms[row])
            stopped = due_ms - newest_ms >= _STOPPED_SECONDS * 1000
            lasts = self._episodes.open(np.array([row]))[0] or self._company.holds(row)
            if stopped or not lasts or self._rules.mutes(row, anomaly.direction):
                ended.append(self._lasting.end(row, newest_ms / 1000))
        return ended

    async def _tell(self, changed: Sequence[Anomaly]) -> None:
        if not changed:
            return
        if self._anomalies is not None:
            changed = await asyncio.to_thread(self._anomalies.save, changed)
        if self._bus is not None:
            self._bus.publish(TOPIC, {"anomalies": [each.id for each in changed]})

    def _resize(self, rows: Rows, size: int) -> None:
        self._scorer.resize(rows, size)
        self._episodes.resize(rows, size)
        self._gaps.resize(rows, size)
        for part in (self._rules, self._lessons, self._budget):
            part.begin_anew()
        self._company.resize(rows, size)
        self._exclusions.resize(rows)
        self._lasting.moved({old: new for new, old in enumerate(rows.tolist())})

    def _save(self, path: Path) -> None:
        if not self._seen_to:
            return
        known = memory.Remembered(
            self._points.labels,
            self._seen_to,
            self._points.last,
            self._scorer,
            self._episodes.state,
            self._gaps,
            self._company,
        )
        try:
            memory.save(path, known)
        except OSError as error:
            log.warning("what was learnt of the series is not saved: %s", error)

    def _restore(self, path: Path) -> None:
        known = memory.load(path, self._settings.min_points, self._gaps, self._company)
        if known is None:
            return
        self._scorer = known.scorer
        self._episodes.restore(known.episodes)
        self._points.restore(known.labels, known.last)
        self._seen_to = known.seen_to_ms
        if self._anomalies is not None:
            lasting = self._anomalies.open()
            self._gaps.restore(known.labels, lasting)
            self._budget.restore(lasting)
            self._lasting.restore(known.labels, [a for a in lasting if a.cause not in GAPS])
            self._company.restore(self._lasting)
