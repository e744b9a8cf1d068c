"""The series index: every series in columns of codes, in memory."""

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import BoolArray, IdArray
from pynomaly.storage.engine.arrow import column, numbers
from pynomaly.storage.samples.cardinality import Cardinality, LabelColumns, cardinality
from pynomaly.storage.samples.columns import Condition, Metric
from pynomaly.storage.samples.dictionary import Dictionary, matching
from pynomaly.storage.samples.growing import Growing
from pynomaly.storage.samples.lookup import IdLookup
from pynomaly.storage.samples.types import CodeArray, SlotArray

_MADE_AT_ONCE = 1_000
"""Label sets are made by so many, which takes some milliseconds."""


class SeriesIndex:
    """Finds series by matchers, and label sets by slot.

    A series has a slot, a small number that stays the same while the process runs. Thread-safe.
    """

    def __init__(self, label_cache: int = 200_000) -> None:
        self._lock = threading.RLock()
        self._ids: Growing[np.uint64] = Growing.empty(np.uint64)
        self._metric_of: Growing[np.int32] = Growing.empty(np.int32)
        self._row_of: Growing[np.int32] = Growing.empty(np.int32)
        self._metrics: list[Metric] = []
        self._metric_codes: dict[str, int] = {}
        self._dictionaries: dict[str, Dictionary] = {}
        self._lookup = IdLookup(self._ids.view, self._row_of.view)
        self._cache: dict[int, Labels] = {}
        self._cache_size = label_cache

    def __len__(self) -> int:
        return len(self._lookup)

    @property
    def slots_used(self) -> int:
        """One more than the greatest slot given out."""
        return len(self._ids)

    def load(self, ids: IdArray, names: pa.Array, labels: pa.MapArray) -> None:
        """Fill an empty index: ids, metric names (``__name__`` may also be among the labels),
        and label maps, in columns of one length with distinct ids."""
        with self._lock:
            encoded = names.dictionary_encode()
            codes = numbers(encoded.indices).astype(np.int32)
            order = np.argsort(codes, kind="stable")
            bounds = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1)).astype(
                np.int64
            )
            slots = np.arange(len(ids), dtype=np.int32)
            self._ids = Growing(ids[order])
            self._metric_of = Growing(codes[order])
            self._row_of = Growing((slots - bounds[codes[order]]).astype(np.int32))
            slot_of_row = np.empty_like(slots)
            slot_of_row[order] = slots
            columns: list[dict[str, CodeArray]] = [{} for _ in range(len(encoded.dictionary))]
            for name, rows, values in _by_label(labels):
                dictionary, value_codes = _encode(values)
                self._dictionaries[name] = dictionary
                _spread(columns, name, slot_of_row[rows], value_codes, bounds)
            for code, name in enumerate(encoded.dictionary.to_pylist()):
                first, end = bounds[code], bounds[code + 1]
                self._metrics.append(Metric(name, slots[first:end], columns[code]))
                self._metric_codes[name] = code
            self._lookup = IdLookup(self._ids.view, slots)

    def find(self, ids: IdArray) -> SlotArray:
        """The slot of each id, -1 where the series is not known."""
        with self._lock:
            return self._lookup.find(ids)

    def ids(self, slots: SlotArray) -> IdArray:
        """The ids of slots."""
        return self._ids.view[slots]

    def add(self, series: Mapping[int, Labels]) -> SlotArray:
        """Add series that are not known, by id; returns their slots in the mapping's order."""
        with self._lock:
            first = self.slots_used
            slots = np.arange(first, first + len(series), dtype=np.int32)
            by_name: dict[str, list[int]] = {}
            label_sets = list(series.values())
            for position, labels in enumerate(label_sets):
                by_name.setdefault(labels.name, []).append(position)
            metric_of, row_of = np.empty_like(slots), np.empty_like(slots)
            for name, positions in by_name.items():
                metric, code = self._metric(name)
                metric_of[positions] = code
                row_of[positions] = len(metric) + np.arange(len(positions))
                chosen = [label_sets[p] for p in positions]
                metric.add(slots[positions], chosen, self._dictionaries)
            ids = np.fromiter(series, dtype=np.uint64, count=len(series))
            self._ids.extend(ids)
            self._metric_of.extend(metric_of)
            self._row_of.extend(row_of)
            self._lookup.add(ids, slots)
            self._remember(slots.tolist(), label_sets)
            return slots

    def _metric(self, name: str) -> tuple[Metric, int]:
        code = self._metric_codes.get(name)
        if code is None:
            code = self._metric_codes[name] = len(self._metrics)
            self._metrics.append(Metric(name, np.empty(0, dtype=np.int32)))
        return self._metrics[code], code

    def remove(self, slots: SlotArray) -> None:
        """Forget series; their slots are not given out again."""
        if not len(slots):
            return
        with self._lock:
            gone = np.zeros(self.slots_used, dtype=np.bool_)
            gone[slots] = True
            for code in np.unique(self._metric_of.view[slots]).tolist():
                metric = self._metrics[code]
                metric.keep_rows(~gone[metric.slots.view])
                rows = np.arange(len(metric), dtype=np.int32)
                self._row_of.view[metric.slots.view] = rows
            live = np.concatenate([metric.slots.view for metric in self._metrics])
            self._lookup = IdLookup(self._ids.view[live], live)
            for slot in slots.tolist():
                self._cache.pop(slot, None)

    def select(self, matchers: Sequence[Matcher]) -> SlotArray:
        """The slots of the series that satisfy every matcher, metric by metric."""
        on_name = [m for m in matchers if m.name == METRIC_NAME]
        others = [m for m in matchers if m.name != METRIC_NAME]
        with self._lock:
            metrics = self._metrics_named(on_name)
            rows, many = max(map(len, metrics), default=0), len(metrics) > 1
            conditions = [
                Condition(m, self._dictionaries.get(m.name), rows, many=many) for m in others
            ]
        for condition in conditions:  # without the lock, which commits need
            condition.prepare()
        with self._lock:
            found = [metric.select(conditions) for metric in metrics]
            # A copy in any case: a metric's own slots may be appended to.
            return np.concatenate([np.empty(0, dtype=np.int32), *found])

    def count_between(self, first: int, last: int) -> int:
        """How many series have an id from ``first`` to ``last`` (both inclusive)."""
        with self._lock:
            return self._lookup.count_between(first, last)

    def _metrics_named(self, matchers: Sequence[Matcher]) -> list[Metric]:
        for matcher in matchers:
            if matcher.op == MatchOp.EQUAL:
                code = self._metric_codes.get(matcher.value)
                named = code is not None and all(m.matches(matcher.value) for m in matchers)
                return [self._metrics[code]] if named and code is not None else []
        if not matchers:
            return self._metrics[:]
        names = [metric.name for metric in self._metrics]
        keep = np.logical_and.reduce([matching(names, m) for m in matchers])
        return [self._metrics[code] for code in np.flatnonzero(keep).tolist()]

    def labels(self, slots: SlotArray) -> list[Labels]:
        """The label sets of slots, in their order."""
        with self._lock:
            wanted = slots.tolist()
            missing = [slot for slot in wanted if slot not in self._cache]
            if not missing:
                return [self._cache[slot] for slot in wanted]
            found = {slot: self._cache[slot] for slot in wanted if slot in self._cache}
        made: dict[int, Labels] = {}
        for first in range(0, len(missing), _MADE_AT_ONCE):
            with self._lock:  # a million take seconds, and commits need it meanwhile
                made |= self._make(np.array(missing[first : first + _MADE_AT_ONCE], dtype=np.int32))
            time.sleep(0)  # else this thread takes the lock again before another wakes up
        with self._lock:
            self._remember(list(made), list(made.values()))
        found |= made
        return [found[slot] for slot in wanted]

    def _make(self, slots: SlotArray) -> dict[int, Labels]:
        metric_of = self._metric_of.view[slots]
        made: dict[int, Labels] = {}
        order = np.argsort(metric_of, kind="stable")
        starts = np.flatnonzero(np.diff(metric_of[order], prepend=-1))
        for group in np.split(order, starts[1:]):
            chosen = slots[group]
            metric = self._metrics[int(metric_of[group[0]])]
            labels = metric.labels(self._row_of.view[chosen], self._dictionaries)
            made.update(zip(chosen.tolist(), labels, strict=True))
        return made

    def _remember(self, slots: Sequence[int], labels: Sequence[Labels]) -> None:
        if len(self._cache) + len(slots) > self._cache_size:
            self._cache.clear()
        if len(slots) <= self._cache_size:
            self._cache.update(zip(slots, labels, strict=True))

    def label_names(self, live: BoolArray) -> list[str]:
        """The names of the labels that the series of a mask over slots have, sorted."""
        names: set[str] = set()
        with self._lock:
            for metric in self._metrics:
                keep = live[metric.slots.view]
                if not keep.any():
                    continue
                if metric.name:
                    names.add(METRIC_NAME)
                names.update(
                    name
                    for name, column in metric.columns.items()
                    if name not in names and column.view[keep].any()
                )
        return sorted(names)

    def label_values(self, name: str, live: BoolArray) -> list[str]:
        """The values of one label among the series of a mask over slots, sorted."""
        with self._lock:
            if name == METRIC_NAME:
                return sorted(m.name for m in self._metrics if m.name and live[m.slots.view].any())
            dictionary = self._dictionaries.get(name)
            if dictionary is None:
                return []
            seen = np.zeros(len(dictionary), dtype=np.bool_)
            for metric in self._metrics:
                column = metric.columns.get(name)
                if column is not None:
                    seen[column.view[live[metric.slots.view]]] = True
            seen[0] = False
            return sorted(dictionary.values[code] for code in np.flatnonzero(seen).tolist())

    def cardinality(self, limit: int) -> Cardinality:
        """How many series there are by metric, label and value; the ``limit`` greatest of each."""
        with self._lock:  # only while columns are taken, not while they are counted
            series = len(self)
            metrics = [metric for metric in self._metrics if len(metric)]
            codes: dict[str, list[CodeArray]] = {}
            for metric in metrics:
                for name, column in metric.columns.items():
                    codes.setdefault(name, []).append(column.view)
            values = {name: self._dictionaries[name].values for name in codes}
            counts = [len(metric) for metric in metrics]
        columns = [LabelColumns(name, values[name], parts) for name, parts in codes.items()]
        names = ["", *(metric.name for metric in metrics)]
        of_name = np.repeat(np.arange(1, len(names), dtype=np.int32), counts)
        # A series without a name is under "" here, and counts for none.
        of_name[of_name == (names.index("", 1) if "" in names[1:] else -1)] = 0
        return cardinality([LabelColumns(METRIC_NAME, names, [of_name]), *columns], series, limit)


def _by_label(labels: pa.MapArray) -> list[tuple[str, CodeArray, pa.Array]]:
    """Label by label: its name, the rows that have it, and their values."""
    offsets = numbers(labels.offsets)
    lengths = np.diff(offsets)
    rows = np.repeat(np.arange(len(labels), dtype=np.int32), lengths)
    first, end = int(offsets[0]), int(offsets[-1])
    keys = labels.keys.slice(first, end - first).dictionary_encode()
    values = labels.items.slice(first, end - first)
    codes = numbers(keys.indices)
    parts = []
    for code, name in enumerate(keys.dictionary.to_pylist()):
        if name != METRIC_NAME:
            places = np.flatnonzero(codes == code)
            parts.append((name, rows[places], values.take(column(places))))
    return parts


def _encode(values: pa.Array) -> tuple[Dictionary, CodeArray]:
    encoded = pc.dictionary_encode(values)
    codes = numbers(encoded.indices).astype(np.int32) + np.int32(1)
    return Dictionary(encoded.dictionary.to_pylist(), encoded.dictionary), codes


def _spread(
    columns: list[dict[str, CodeArray]],
    name: str,
    slots: CodeArray,
    codes: CodeArray,
    bounds: NDArray[np.int64],
) -> None:
    """Give each metric its part of a label's codes; ``slots`` are grouped by metric."""
    order = np.argsort(slots)
    slots, codes = slots[order], codes[order]
    cuts = np.searchsorted(slots, bounds)
    for metric in np.flatnonzero(np.diff(cuts)).tolist():
        first, end = cuts[metric], cuts[metric + 1]
        column = np.zeros(bounds[metric + 1] - bounds[metric], dtype=np.int32)
        column[slots[first:end] - bounds[metric]] = codes[first:end]
        columns[metric][name] = column
