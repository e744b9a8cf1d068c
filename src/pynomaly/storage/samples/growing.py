"""A NumPy array that grows at its end in amortised constant time."""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


class Growing(Generic[Scalar]):
    """One-dimensional; ``view`` is the filled part, without a copy."""

    __slots__ = ("_data", "_size")

    def __init__(self, initial: NDArray[Scalar]) -> None:
        self._data = initial
        self._size = len(initial)

    @classmethod
    def empty(cls, dtype: DTypeLike) -> "Growing[Scalar]":
        """Without elements."""
        return cls(np.empty(0, dtype=dtype))

    def __len__(self) -> int:
        return self._size

    @property
    def view(self) -> NDArray[Scalar]:
        """The elements; a view taken earlier does not grow but stays valid."""
        return self._data[: self._size]

    @property
    def nbytes(self) -> int:
        """Bytes held, including room to grow."""
        return self._data.nbytes

    def extend(self, more: NDArray[Scalar]) -> None:
        """Append elements."""
        size = self._size + len(more)
        if size > len(self._data):
            data = np.empty(max(size, len(self._data) * 3 // 2, 8), dtype=self._data.dtype)
            data[: self._size] = self.view
            self._data = data
        self._data[self._size : size] = more
        self._size = size
