"""What a target exposes, as it will be stored: labels, relabelling and limits, remembered.

The text of a series leads to its id at once, and a body with the same lines as the one before is
not even parsed (exposition.layout). Not thread-safe; one scrape of a target at a time.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pynomaly.ingest.exposition import openmetrics, text
from pynomaly.ingest.exposition.layout import IndexArray, Layout
from pynomaly.ingest.exposition.samples import ExposedExemplar, Exposition, ParseError, Series
from pynomaly.ingest.scrape.config import ScrapeConfig
from pynomaly.ingest.scrape.errors import ScrapeError
from pynomaly.ingest.scrape.relabel import relabel
from pynomaly.model.exemplars import Exemplar
from pynomaly.model.labels import METRIC_NAME, Labels, series_id
from pynomaly.model.samples import IdArray, MetricMetadata, TimeArray, ValueArray

log = logging.getLogger(__name__)

_EXPORTED = "exported_"
_SHOWN = 50  # characters of a name in a message, as Prometheus cuts them

Entry = tuple[int, Labels] | None
"""A series as stored, or None when relabelling drops it."""


@dataclass(frozen=True, slots=True, eq=False)
class Scraped:
    """The samples of one body, ready to be appended.

    ``labels`` are all series of the body, ``tracked`` those of which the end will be marked.
    ``scraped`` counts lines with a sample, ``kept`` those left by relabelling.
    """

    ids: IdArray
    ts: TimeArray
    values: ValueArray
    labels: Mapping[int, Labels]
    tracked: Mapping[int, Labels]
    scraped: int
    kept: int
    duplicates: int = 0
    metadata: Sequence[MetricMetadata] = ()
    exemplars: Sequence[tuple[int, Exemplar]] = ()
    in_full: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Steady:
    """A layout, and which of its samples are stored under which id."""

    layout: Layout
    rows: IndexArray
    ids: IdArray
    labels: Mapping[int, Labels]
    scraped: int
    kept: int
    duplicates: int
    series_of_line: Mapping[int, int]
    """The id of the series on a line (0-based), for exemplars; without those that are dropped."""


class TargetSeries:
    """Reads the bodies of one target."""

    def __init__(self, job: ScrapeConfig, target: Labels, *, strict_openmetrics: bool) -> None:
        self._job = job
        self._target = dict(target.pairs)
        self._strict = strict_openmetrics
        self._known: dict[bytes, Series] = {}
        self._entries: dict[bytes, Entry] = {}
        self._metadata: set[MetricMetadata] = set()
        self._exemplars: Mapping[bytes, ExposedExemplar] = {}
        self._steady: _Steady | None = None

    @property
    def metadata(self) -> Sequence[MetricMetadata]:
        """What the last body said of its metric families, by name."""
        return sorted(self._metadata, key=lambda said: said.name)

    def read(self, body: bytes, content_type: str, now_ms: int) -> Scraped:
        """The samples of a body.

        Raises:
            ScrapeError: the body is malformed or exceeds a limit of the job.
        """
        bare = openmetrics.Bare(body, {}, {})
        if _is_openmetrics(content_type) and not self._strict:
            # What the specification says of where exemplars may stand only the parser checks.
            bare = openmetrics.bare(body, self._exemplars)
            self._exemplars = bare.known
        steady = self._steady
        if steady is not None and (values := steady.layout.read(bare.body)) is not None:
            exemplars = [
                (series, _timed(exposed, now_ms))
                for line, exposed in bare.exemplars.items()
                if (series := steady.series_of_line.get(line)) is not None
            ]
            return Scraped(
                ids=steady.ids,
                ts=np.full(len(steady.ids), now_ms, dtype=np.int64),
                values=values[steady.rows],
                labels=steady.labels,
                tracked=steady.labels,
                scraped=steady.scraped,
                kept=steady.kept,
                duplicates=steady.duplicates,
                exemplars=exemplars,
            )
        return self._read_in_full(body, content_type, now_ms, bare)

    def _read_in_full(
        self, body: bytes, content_type: str, now_ms: int, bare: openmetrics.Bare
    ) -> Scraped:
        self._steady = None
        parsed = self._parse(body, content_type)
        entries = self._entries_of(parsed)
        rows = [row for row, raw in enumerate(parsed.raw) if entries[raw] is not None]
        limit = self._job.sample_limit
        if limit and len(rows) > limit:
            raise ScrapeError(
                f"sample limit exceeded: {len(rows)} samples after relabelling, limit {limit}",
                outcome="sample_limit",
                scraped=len(parsed),
            )
        scraped = self._select(parsed, entries, rows, now_ms)
        self._remember(bare, parsed, entries, scraped)
        return scraped

    def _parse(self, body: bytes, content_type: str) -> Exposition:
        if not body:
            return Exposition()
        try:
            if _is_openmetrics(content_type):
                return openmetrics.parse(body, strict=self._strict, known=self._known)
            return text.parse(body, known=self._known)
        except ParseError as error:
            self._known = {}
            raise ScrapeError(str(error), outcome="malformed") from error

    def _entries_of(self, parsed: Exposition) -> dict[bytes, Entry]:
        """The entries of this body alone, so that what has gone is forgotten."""
        known, entries = self._entries, {}
        for raw, series in zip(parsed.raw, parsed.series, strict=True):
            if raw in known:
                entries[raw] = known[raw]
            elif raw not in entries:
                try:
                    entries[raw] = self._stored(series)
                except ScrapeError as error:
                    error.scraped = len(parsed)
                    raise
        return entries

    def _stored(self, series: Series) -> Entry:
        """Add the target's labels and relabel."""
        labels = dict(series.labels)
        labels[METRIC_NAME] = series.name
        if self._job.honor_labels:
            labels = {**self._target, **labels}
        else:
            add_target_labels(labels, self._target)
        if not relabel(self._job.metric_relabel_configs, labels):
            return None
        final = Labels(labels)
        if not final.name:
            raise ScrapeError(
                f"metric_relabel_configs leave a series without a name: {final}",
                outcome="malformed",
            )
        self._check_limits(final)
        return series_id(final), final

    def _check_limits(self, labels: Labels) -> None:
        job, name = self._job, labels.name[:_SHOWN]
        if job.label_limit and len(labels) > job.label_limit:
            raise ScrapeError(
                f"label_limit exceeded (metric: {name}, number of labels: {len(labels)}, "
                f"limit: {job.label_limit})",
                outcome="label_limit",
            )
        longest, widest = job.label_name_length_limit, job.label_value_length_limit
        if not longest and not widest:
            return
        for label, value in labels.pairs:
            for what, part, most in (("name", label, longest), ("value", value, widest)):
                if most and len(part.encode()) > most:
                    raise ScrapeError(
                        f"label_{what}_length_limit exceeded (metric: {name}, label: "
                        f"{label[:_SHOWN]}, length: {len(part.encode())}, limit: {most})",
                        outcome="label_limit",
                    )

    def _select(
        self,
        parsed: Exposition,
        entries: Mapping[bytes, Entry],
        rows: Sequence[int],
        now_ms: int,
    ) -> Scraped:
        """Give each sample its id and time; of two of one series and time the first counts."""
        samples: dict[tuple[int, int], int] = {}
        labels: dict[int, Labels] = {}
        tracked: dict[int, Labels] = {}
        for row in rows:
            entry = entries[parsed.raw[row]]
            assert entry is not None  # rows are those that have one
            timestamp = parsed.timestamps[row] if self._job.honor_timestamps else None
            other = labels.setdefault(*entry)
            if other != entry[1]:
                extra = {"series": str(entry[1]), "other": str(other)}
                log.warning("a series is left out: its hash is that of another", extra=extra)
                continue
            if timestamp is None or self._job.track_timestamps_staleness:
                tracked[entry[0]] = entry[1]
            samples.setdefault((entry[0], now_ms if timestamp is None else timestamp), row)
        return Scraped(
            ids=np.array([i for i, _ in samples], dtype=np.uint64),
            ts=np.array([ts for _, ts in samples], dtype=np.int64),
            values=np.array([parsed.values[row] for row in samples.values()], dtype=np.float64),
            labels=labels,
            tracked=tracked,
            scraped=len(parsed),
            kept=len(rows),
            duplicates=len(rows) - len(samples),
            metadata=self._news(parsed.metadata),
            exemplars=self._exemplars_of(parsed, entries, now_ms),
            in_full=True,
        )

    def _exemplars_of(
        self, parsed: Exposition, entries: Mapping[bytes, Entry], now_ms: int
    ) -> list[tuple[int, Exemplar]]:
        """With the id of their series; those without a time of their own have the sample's."""
        found = []
        for row, exposed in parsed.exemplars.items():
            if (entry := entries[parsed.raw[row]]) is None:
                continue
            timestamp = parsed.timestamps[row] if self._job.honor_timestamps else None
            found.append((entry[0], _timed(exposed, now_ms if timestamp is None else timestamp)))
        return found

    def _news(self, metadata: Sequence[MetricMetadata]) -> Sequence[MetricMetadata]:
        """What was not said by the body before."""
        before, self._metadata = self._metadata, set(metadata)
        return [said for said in metadata if said not in before]

    def _remember(
        self,
        bare: openmetrics.Bare,
        parsed: Exposition,
        entries: dict[bytes, Entry],
        scraped: Scraped,
    ) -> None:
        self._entries = entries
        self._known = dict(zip(parsed.raw, parsed.series, strict=True))
        if {parsed.lines[row] - 1 for row in parsed.exemplars} != bare.exemplars.keys():
            return
        layout = Layout.of(bare.body, replace(parsed, exemplars={}))
        if layout is None:
            return
        first = self._first_rows(parsed, entries)
        self._steady = _Steady(
            layout=layout,
            rows=np.array(first, dtype=np.intp),
            ids=scraped.ids,
            labels=scraped.labels,
            scraped=scraped.scraped,
            kept=scraped.kept,
            duplicates=scraped.duplicates,
            series_of_line={
                line - 1: entry[0]
                for line, raw in zip(parsed.lines, parsed.raw, strict=True)
                if (entry := entries[raw]) is not None
            },
        )

    @staticmethod
    def _first_rows(parsed: Exposition, entries: Mapping[bytes, Entry]) -> list[int]:
        first: dict[int, int] = {}
        for row, raw in enumerate(parsed.raw):
            if (entry := entries[raw]) is not None:
                first.setdefault(entry[0], row)
        return list(first.values())


def _is_openmetrics(content_type: str) -> bool:
    return content_type.split(";")[0].strip().lower() == "application/openmetrics-text"


def _timed(exposed: ExposedExemplar, sample_ms: int) -> Exemplar:
    ts = sample_ms if exposed.ts is None else exposed.ts
    return Exemplar(Labels(exposed.labels), exposed.value, ts, timed=exposed.ts is not None)


def add_target_labels(labels: dict[str, str], target: Mapping[str, str]) -> None:
    """Set the target's labels; an exposed label of the same name becomes ``exported_…``."""
    conflicting = {name: labels[name] for name in target if labels.get(name)}
    labels.update(target)
    for name, value in sorted(conflicting.items(), key=lambda item: len(item[0])):
        renamed = _EXPORTED + name
        while labels.get(renamed):
            renamed = _EXPORTED + renamed
        labels[renamed] = value
