"""The one way in which judges, rules and pages read series."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pynomaly.model.errors import PynomalyError
from pynomaly.model.exemplars import SeriesExemplars
from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, SeriesSamples, TimeArray, ValueArray


class QueryError(PynomalyError):
    """The expression is valid but cannot be answered (matching, types at run time, a limit)."""

    status = 422
    kind = "execution"


class ParseError(PynomalyError):
    """The expression is not PromQL, or uses what is not supported (named in the message)."""

    status = 400
    kind = "bad_data"


class QueryTimeout(PynomalyError):
    """The query took longer than allowed."""

    status = 503
    kind = "timeout"


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Series on a common grid of steps: the shape in which everything is computed.

    ``timestamps``: int64 ``[steps]``, milliseconds. ``values``: float64 ``[series, steps]``;
    ``present``: bool of the same shape, false where the series has no sample at that step
    (NaN is an ordinary value, so it cannot say that).
    """

    labels: list[Labels]
    timestamps: TimeArray
    values: ValueArray
    present: BoolArray

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def empty(cls, timestamps: TimeArray) -> "Matrix":
        """No series on this grid."""
        shape = (0, len(timestamps))
        return cls([], timestamps, np.empty(shape), np.empty(shape, dtype=np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """One value at each step: float64 ``[steps]``."""

    timestamps: TimeArray
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class String:
    """A string literal; only instant queries return one."""

    timestamp: int
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class QueryResult:
    """What a query gives.

    ``value`` is a ``Matrix`` (an instant query gives one step: Prometheus's "vector"; a range
    query its "matrix"), a ``Scalar``, a ``String``, or ``SeriesSamples`` for an instant query of
    a range selector such as ``x[5m]``. The order of series is the one to show. ``warnings`` and
    ``infos`` are for people.
    """

    value: Matrix | Scalar | String | SeriesSamples
    warnings: Sequence[str] = field(default=())
    infos: Sequence[str] = field(default=())


class Querier(Protocol):
    """Answers PromQL: the local engine, or later any Prometheus-compatible HTTP API.

    Times are milliseconds since the epoch; ``timeout`` is in seconds.
    Raises ``ParseError``, ``QueryError``, ``QueryTimeout``. Cancelling the awaiting task
    cancels the query.
    """

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        """Evaluate at one time."""
        ...

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        """Evaluate at ``start, start + step, … <= end``."""
        ...


@runtime_checkable
class AdjustableQuerier(Protocol):
    """A querier with which a single query may look back otherwise than the settings say."""

    def looking_back(self, lookback_ms: int) -> Querier:
        """A querier whose instant selectors take samples up to so many milliseconds old."""
        ...


def looking_back(querier: Querier, lookback_ms: int) -> Querier:
    """``AdjustableQuerier.looking_back`` of any querier.

    Raises:
        QueryError: it cannot.
    """
    if not isinstance(querier, AdjustableQuerier):
        raise QueryError("the lookback of a single query cannot be chosen here")
    return querier.looking_back(lookback_ms)


class ExemplarQuerier(Protocol):
    """Finds exemplars: the local store, or any Prometheus-compatible HTTP API."""

    async def exemplars(
        self, expr: str, start_ms: int, end_ms: int
    ) -> Sequence[SeriesExemplars] | None:
        """Those of every series that a selector of the expression names, in a closed range of
        milliseconds, sorted by the series' labels; None when the expression has no selector.

        Raises ``ParseError``.
        """
        ...


@runtime_checkable
class SharingQuerier(Protocol):
    """A querier that can read for many expressions at once."""

    def sharing(self, expressions: Sequence[str]) -> Querier:
        """A querier for these expressions at one moment; it does not see later writes."""
        ...
