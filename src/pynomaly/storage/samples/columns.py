"""The parts of the series index: a table per metric, and conditions on its columns."""

from collections.abc import Mapping, Sequence

import numpy as np

from pynomaly.model.labels import METRIC_NAME, Labels
from pynomaly.model.matcher import Matcher, MatchOp
from pynomaly.model.samples import BoolArray
from pynomaly.storage.samples.dictionary import Dictionary, matching
from pynomaly.storage.samples.growing import Growing
from pynomaly.storage.samples.types import CodeArray, SlotArray


class Metric:
    """The series of one metric: a row each, a column of codes for each label that occurs."""

    __slots__ = ("columns", "name", "slots")

    def __init__(
        self, name: str, slots: SlotArray, columns: Mapping[str, CodeArray] | None = None
    ) -> None:
        self.name = name
        self.slots: Growing[np.int32] = Growing(slots)
        self.columns: dict[str, Growing[np.int32]] = {
            label: Growing(codes) for label, codes in (columns or {}).items()
        }

    def __len__(self) -> int:
        return len(self.slots)

    def add(
        self, slots: SlotArray, labels: Sequence[Labels], dictionaries: dict[str, Dictionary]
    ) -> None:
        """Append rows; new label values get their codes."""
        count, codes = len(slots), dict[str, list[int]]()
        for row, pairs in enumerate(labels):
            for name, value in pairs.pairs:
                if name == METRIC_NAME:
                    continue
                column = codes.get(name)
                if column is None:
                    column = codes[name] = [0] * count
                    dictionaries.setdefault(name, Dictionary())
                column[row] = dictionaries[name].code(value)
        for name in codes.keys() - self.columns.keys():
            self.columns[name] = Growing(np.zeros(len(self), dtype=np.int32))
        for name, column_of_name in self.columns.items():
            more = codes.get(name)
            column_of_name.extend(
                np.zeros(count, dtype=np.int32) if more is None else np.array(more, dtype=np.int32)
            )
        self.slots.extend(slots)

    def select(self, conditions: Sequence["Condition"]) -> SlotArray:
        """The slots of the rows that satisfy every condition (none of them on the name)."""
        slots = self.slots.view
        keep: BoolArray | None = None
        for condition in conditions:
            codes = self.columns.get(condition.matcher.name)
            if codes is None:
                if not condition.absent_matches:
                    return slots[:0]
                continue
            found = condition.rows(codes.view)
            keep = found if keep is None else keep & found
        return slots if keep is None else slots[keep]

    def labels(self, rows: CodeArray, dictionaries: Mapping[str, Dictionary]) -> list[Labels]:
        """The label sets of some rows."""
        names = sorted([*self.columns, METRIC_NAME] if self.name else self.columns)
        columns: list[list[str]] = []
        for name in names:
            if name == METRIC_NAME:
                columns.append([self.name] * len(rows))
            else:
                values = dictionaries[name].values
                codes = self.columns[name].view[rows].tolist()
                columns.append([values[code] for code in codes])
        return [
            Labels.from_sorted(tuple([pair for pair in zip(names, row, strict=True) if pair[1]]))
            for row in (zip(*columns, strict=True) if columns else [()] * len(rows))
        ]

    def keep_rows(self, rows: BoolArray) -> None:
        """Drop the other rows."""
        self.slots = Growing(self.slots.view[rows])
        self.columns = {
            name: Growing(column.view[rows])
            for name, column in self.columns.items()
            if column.view[rows].any()
        }


class Condition:
    """A matcher on one label, for the columns of any number of metrics.

    ``rows_asked``: how many series it is asked of at most in one metric; ``many``: whether of
    several metrics, so that it pays to match all values once.
    """

    def __init__(
        self, matcher: Matcher, dictionary: Dictionary | None, rows_asked: int, *, many: bool
    ) -> None:
        self.matcher = matcher
        self.absent_matches = matcher.matches("")
        self._dictionary = dictionary or Dictionary()
        by_value = matcher.op in (MatchOp.EQUAL, MatchOp.NOT_EQUAL)
        self._of_each = not many and rows_asked * 4 < len(self._dictionary)
        self._by_code: BoolArray | None = None
        self._whole = not (by_value or self._of_each)

    def prepare(self) -> None:
        """Match what takes long; nothing else needs to wait for it."""
        if self._whole:
            self._by_code = self._dictionary.matching(self.matcher)

    def rows(self, codes: CodeArray) -> BoolArray:
        """Which rows of a column satisfy the matcher."""
        result: BoolArray
        if self._whole:
            if self._by_code is None or len(self._by_code) < len(self._dictionary):
                self.prepare()  # values came meanwhile
            assert self._by_code is not None, "just prepared"
            result = self._by_code[codes]
        elif self._of_each and self.matcher.op in (MatchOp.REGEX, MatchOp.NOT_REGEX):
            distinct, inverse = np.unique(codes, return_inverse=True)
            values = [self._dictionary.values[code] for code in distinct.tolist()]
            result = matching(values, self.matcher)[inverse]
        else:
            code = self._dictionary.codes.get(self.matcher.value, -1)
            result = codes == code if self.matcher.op == MatchOp.EQUAL else codes != code
        return result
