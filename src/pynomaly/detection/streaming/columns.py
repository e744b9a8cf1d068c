"""State of many series in columns: one array for each quantity, one row for each series."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

Rows = NDArray[np.int64]
FloatArray = NDArray[np.float32]
AnyArray = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """How the array of a field begins: the shape of one series, its type, and the first value."""

    shape: tuple[int, ...] = ()
    dtype: DTypeLike = np.float32
    first: float = 0.0

    def blank(self, rows: int) -> AnyArray:
        """The array for so many new series."""
        return np.full((rows, *self.shape), self.first, dtype=self.dtype)


@dataclass(slots=True)
class Columns:
    """Base of a part's state: a dataclass whose fields are arrays with one row for each series.

    A subclass names its fields in ``SPEC``, in their order. Work is done on blocks of rows that
    stay in the processor's cache: views where the rows lie together (``view``), copies that are
    written back where they do not (``take`` and ``put``). So whoever changes a block changes its
    arrays in place.
    """

    SPEC: ClassVar[Mapping[str, Column]]

    @classmethod
    def blank(cls, rows: int) -> Self:
        """The state of so many series of which nothing is known yet."""
        return cls(**{name: column.blank(rows) for name, column in cls.SPEC.items()})

    def view(self, rows: slice) -> Self:
        """These rows themselves."""
        return type(self)(*[getattr(self, name)[rows] for name in self.SPEC])

    def take(self, rows: Rows) -> Self:
        """A copy of these rows."""
        return type(self)(*[getattr(self, name)[rows] for name in self.SPEC])

    def put(self, rows: Rows, block: Self) -> None:
        """Write back what ``take`` gave for the same rows."""
        for name in self.SPEC:
            getattr(self, name)[rows] = getattr(block, name)

    def resized(self, rows: Rows, size: int) -> Self:
        """These rows, in this order, with room for ``size``."""
        found = self.blank(size)
        found.put(np.arange(len(rows)), self.take(rows))
        return found

    def arrays(self, prefix: str) -> dict[str, AnyArray]:
        """All arrays by name, for a file."""
        return {f"{prefix}.{name}": getattr(self, name) for name in self.SPEC}

    @classmethod
    def of_arrays(cls, prefix: str, arrays: Mapping[str, AnyArray]) -> Self:
        """What ``arrays`` gave.

        Raises:
            KeyError: one is missing.
            ValueError: one has another shape or type than this version's.
        """
        found = {name: np.array(arrays[f"{prefix}.{name}"]) for name in cls.SPEC}
        for name, column in cls.SPEC.items():
            if found[name].shape[1:] != column.shape or found[name].dtype != column.dtype:
                raise ValueError(f"{prefix}.{name} is of another version")
        return cls(**found)

    @property
    def bytes_per_series(self) -> int:
        """How much one series takes."""
        return sum(
            int(np.prod(column.shape, dtype=np.int64)) * np.dtype(column.dtype).itemsize
            for column in self.SPEC.values()
        )


@dataclass(slots=True)
class Lanes(Columns):
    """Columns that lie the other way: one lane for each series, ``[*shape, series]``.

    Work on all series then runs along the memory, which is several times faster than over the
    few numbers of one series after the other.
    """

    @classmethod
    def blank(cls, rows: int) -> Self:
        """The state of so many series of which nothing is known yet."""
        found = {
            name: np.full((*column.shape, rows), column.first, dtype=column.dtype)
            for name, column in cls.SPEC.items()
        }
        return cls(**found)

    def view(self, rows: slice) -> Self:
        """These rows themselves."""
        return type(self)(*[getattr(self, name)[..., rows] for name in self.SPEC])

    def take(self, rows: Rows) -> Self:
        """A copy of these rows."""
        return type(self)(*[getattr(self, name).take(rows, axis=-1) for name in self.SPEC])

    def put(self, rows: Rows, block: Self) -> None:
        """Write back what ``take`` gave for the same rows."""
        for name in self.SPEC:
            getattr(self, name)[..., rows] = getattr(block, name)

    @classmethod
    def of_arrays(cls, prefix: str, arrays: Mapping[str, AnyArray]) -> Self:
        """What ``arrays`` gave; raises as that of ``Columns``."""
        found = {name: np.array(arrays[f"{prefix}.{name}"]) for name in cls.SPEC}
        for name, column in cls.SPEC.items():
            if found[name].shape[:-1] != column.shape or found[name].dtype != column.dtype:
                raise ValueError(f"{prefix}.{name} is of another version")
        return cls(**found)
