"""OpenMetrics text with a timestamp at every sample, of any length.

Read as ``promtool tsdb create-blocks-from openmetrics`` reads it: the syntax counts, not the
order of families, and the text ends with ``# EOF``.
"""

import numpy as np

from pynomaly.ingest.exposition.openmetrics import Parser
from pynomaly.ingest.exposition.samples import Exposition, ParseError, Series
from pynomaly.ingest.history.reader import Block, LineFault
from pynomaly.ingest.history.series import Remembered
from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.samples import SampleBatch

_MOST_KNOWN = 200_000


class OpenMetricsReader:
    """Reads OpenMetrics; every sample needs a timestamp, since history has no "now"."""

    def __init__(self) -> None:
        self._parser = Parser(strict=False)
        self._series: Remembered[bytes] = Remembered(self._labels_of)
        self._current: dict[bytes, Series] = {}

    def read(self, block: bytes) -> Block:
        """Read whole lines; a fault ends the import, and what came before it is given."""
        lines = block.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        if len(self._parser.known) > _MOST_KNOWN:
            self._parser.known = {}
        self._series.start_block()
        fault = None
        try:
            self._parser.feed(lines)
        except ParseError as error:
            fault = LineFault(error.line, error.reason)
        return self._block(self._parser.take(), fault)

    def finish(self) -> Block:
        """The metadata of all families; a fault if ``# EOF`` is missing."""
        fault = None
        try:
            self._parser.finish()
        except ParseError as error:
            fault = LineFault(error.line, error.reason)
        return Block(SampleBatch.of([], self._parser.metadata()), fault)

    def _block(self, read: Exposition, fault: LineFault | None) -> Block:
        count = len(read)
        if None in read.timestamps:
            count = read.timestamps.index(None)
            fault = LineFault(read.lines[count], "a sample without a timestamp")
        self._current = dict(zip(read.raw, read.series, strict=True))
        ids = map(self._series.id_of, read.raw[:count])
        batch = SampleBatch(
            ids=np.fromiter(ids, np.uint64, count),
            ts=np.array(read.timestamps[:count], dtype=np.int64),
            values=np.array(read.values[:count], dtype=np.float64),
            labels=self._series.labels,
        )
        return Block(batch, fault)

    def _labels_of(self, raw: bytes) -> Labels:
        series = self._current[raw]
        return Labels({**series.labels, METRIC_NAME: series.name})
