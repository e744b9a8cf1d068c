"""The second ``Querier``: PromQL over a Prometheus-compatible server's HTTP API."""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlencode

import numpy as np

from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SeriesSamples
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import (
    Matrix,
    ParseError,
    QueryError,
    QueryResult,
    QueryTimeout,
    Scalar,
    String,
)
from pynomaly.promql.metrics import QUERIES_IN_FLIGHT, QUERY_DURATION
from pynomaly.promql.nodes import Node, ValueType
from pynomaly.promql.ordering import in_order
from pynomaly.promql.parser import parse
from pynomaly.promql.remote_answer import Found, instant_value, range_value, read
from pynomaly.promql.state import Grid
from pynomaly.storage.peer.client import Answer, PeerClient, Request
from pynomaly.storage.peer.errors import PartialAnswer, PeerSilent
from pynomaly.storage.peer.watch import PeerWatch

MOST_STEPS = 11_000
"""The most steps of one range query: Prometheus's limit, which others took over."""

_GRACE = 2.0  # seconds that the server's own "timed out" may take to come

_OF_THE_WHOLE = re.compile(r"\b(start|end|range)\s*\(")

Answered = Matrix | Scalar | String | SeriesSamples


class PeerApi:
    """The paths under ``/api/v1`` of a server. Several queriers share one."""

    def __init__(self, client: PeerClient) -> None:
        self._client = client
        self._at_once = asyncio.Semaphore(client.settings.max_concurrent)
        self.url = str(client.settings.url)
        self.in_thread = client.in_thread

    async def get(
        self,
        path: str,
        parameters: Sequence[tuple[str, str]],
        *,
        timeout: float,
        expr: str = "",
        method: str = "",
    ) -> Found:
        """Ask ``/api/v1/PATH``; waits while ``max_concurrent`` others are under way.

        Raises:
            PeerSilent: no answer within ``timeout`` seconds.
            PeerAway, PeerRefused, AnswerTooLarge, and what ``remote_answer.read`` raises.
        """
        settings = self._client.settings
        method = method or settings.method
        url = f"{self.url}/api/v1/{path}"
        form = urlencode([*parameters, *settings.parameters.items()])
        headers = {"Accept": "application/json"}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = Request(path.partition("/")[0], method, url, timeout, form.encode(), headers)
        else:
            url = f"{url}?{form}" if form else url
            request = Request(path.partition("/")[0], method, url, timeout, headers=headers)
        async with self._at_once:
            answer = await self._client.patiently(request, _again)
        return await self.in_thread(read, answer, self.url, expr)


def _again(answer: Answer) -> bool:
    """Whether it failed, unless by what it says of the query."""
    return answer.not_now() and not (
        answer.status == HTTPStatus.SERVICE_UNAVAILABLE and b'"errorType"' in answer.body
    )


class RemoteQuerier:
    """Lets the server evaluate.

    ``judging`` is for rules and judges, for whom what is missing says as much as what is there:
    partial answers are refused, and so is everything while the server has only just come back.
    Besides what ``Querier`` says, both raise ``PeerAway``, ``PeerRefused`` and
    ``AnswerTooLarge``.
    """

    def __init__(
        self,
        api: PeerApi,
        watch: PeerWatch,
        settings: QuerySettings | None = None,
        *,
        judging: bool = False,
        lookback_ms: int | None = None,
    ) -> None:
        self._api = api
        self._watch = watch
        self._lookback_ms = lookback_ms
        self._settings = settings or QuerySettings()
        self._judging = judging
        self._admit = watch.refuse_unless_settled if judging else watch.refuse_if_away

    def looking_back(self, lookback_ms: int) -> "RemoteQuerier":
        """The same with another lookback, which is else the server's own."""
        return RemoteQuerier(
            self._api,
            self._watch,
            self._settings,
            judging=self._judging,
            lookback_ms=lookback_ms,
        )

    async def instant(self, expr: str, at_ms: int, *, timeout: float = 120.0) -> QueryResult:
        """Evaluate at one time; see ``Querier``."""
        node = _parsed(expr)
        with QUERIES_IN_FLIGHT.track_inprogress(), QUERY_DURATION.labels("instant").time():
            found = await self._ask("query", expr, [("time", _seconds(at_ms))], timeout)
            value, left_out = await self._api.in_thread(instant_value, found, self._api.url, at_ms)
        if isinstance(value, Matrix) and node is not None:
            value = _as_typed(node, in_order(node, value, instant=True))
        return self._result(value, [found], left_out)

    async def range(
        self, expr: str, start_ms: int, end_ms: int, step_ms: int, *, timeout: float = 120.0
    ) -> QueryResult:
        """Evaluate at ``start, start + step, … <= end``; see ``Querier``.

        More than 11,000 steps are asked for piece by piece.
        """
        if step_ms <= 0:
            raise ParseError("zero or negative query resolution step widths are not accepted")
        grid = Grid.between(start_ms, end_ms, step_ms)
        node = _parsed(expr)
        if grid.count > self._settings.max_samples:
            raise QueryError("query processing would load too many samples into memory")
        if grid.count > MOST_STEPS:
            _refuse_to_divide(expr, node)
        with QUERIES_IN_FLIGHT.track_inprogress(), QUERY_DURATION.labels("range").time():
            try:
                async with asyncio.timeout(min(timeout, self._settings.timeout) + 2 * _GRACE):
                    matrix, answers, left_out = await self._pieces(expr, grid, timeout)
            except TimeoutError:
                raise QueryTimeout("query timed out") from None
        if node is not None:
            return self._result(
                _as_typed(node, in_order(node, matrix, instant=False)), answers, left_out
            )
        return self._result(matrix, answers, left_out)

    async def _pieces(
        self, expr: str, grid: Grid, timeout: float
    ) -> tuple[Matrix, list[Found], int]:
        pieces, answers, left_out = [], [], 0
        points = 0
        for first in range(0, grid.count, MOST_STEPS):
            count = min(MOST_STEPS, grid.count - first)
            piece = Grid(grid.start + first * grid.step, grid.step, count)
            parameters = [
                ("start", _seconds(piece.start)),
                ("end", _seconds(piece.end)),
                ("step", _seconds(grid.step)),
            ]
            found = await self._ask("query_range", expr, parameters, timeout)
            matrix, histograms = await self._api.in_thread(range_value, found, self._api.url, piece)
            points += matrix.values.size
            if points > self._settings.max_samples:
                raise QueryError("query processing would load too many samples into memory")
            pieces.append(matrix)
            answers.append(found)
            left_out = max(left_out, histograms)
        return _side_by_side(pieces, grid), answers, left_out

    async def _ask(
        self, path: str, expr: str, parameters: list[tuple[str, str]], timeout: float
    ) -> Found:
        self._admit()
        timeout = min(timeout, self._settings.timeout)
        # Prometheus does not know nocache. VictoriaMetrics without it moves the times asked for.
        more = [("query", expr), ("timeout", f"{timeout:.3f}"), ("nocache", "1")]
        if self._lookback_ms is not None:  # the latter is how VictoriaMetrics calls it
            names = ("lookback_delta", "max_lookback")
            more += [(name, _seconds(self._lookback_ms)) for name in names]
        try:
            found = await self._api.get(
                path, [*more, *parameters], timeout=timeout + _GRACE, expr=expr
            )
        except PeerSilent as error:
            raise QueryTimeout(error.message) from error
        # A query that waited in a server that stood still is answered when it goes on, for a
        # time of which it knows nothing.
        self._admit()
        if self._judging and found.partial:
            raise PartialAnswer(f"{self._api.url} answers only in part: {found.partial}")
        return found

    @staticmethod
    def _result(value: Answered, answers: Sequence[Found], left_out: int) -> QueryResult:
        warnings = list(dict.fromkeys(w for found in answers for w in found.warnings))
        infos = list(dict.fromkeys(i for found in answers for i in found.infos))
        if left_out:
            warnings.append(f"{left_out} series of native histograms are left out")
        return QueryResult(value, tuple(warnings), tuple(infos))


def _parsed(expr: str) -> Node | None:
    """The expression as we understand it; None if only the server may (MetricsQL)."""
    try:
        return parse(expr)
    except PynomalyError:
        return None


def _as_typed(node: Node, matrix: Matrix) -> Matrix | Scalar:
    """A scalar as one: the API gives it as a series without labels."""
    if node.type != ValueType.SCALAR or not (len(matrix) == 1 and not matrix.labels[0]):
        return matrix
    return Scalar(matrix.timestamps, matrix.values[0])


def _refuse_to_divide(expr: str, node: Node | None) -> None:
    """Pieces are right only for what means the same in each of them."""
    if node is None:
        message = f"more than {MOST_STEPS} steps of what is not plain PromQL"
    elif _OF_THE_WHOLE.search(expr):
        message = f"more than {MOST_STEPS} steps with start(), end() or range()"
    else:
        return
    raise QueryError(message, hint="Take a larger step.")


def _side_by_side(pieces: Sequence[Matrix], grid: Grid) -> Matrix:
    """The pieces of one grid in the order of time, as one matrix."""
    if len(pieces) == 1:
        return pieces[0]
    row_of: dict[Labels, int] = {}
    for piece in pieces:
        for labels in piece.labels:
            row_of.setdefault(labels, len(row_of))
    values = np.full((len(row_of), grid.count), np.nan)
    present = np.zeros(values.shape, dtype=np.bool_)
    first = 0
    for piece in pieces:
        rows = np.array([row_of[labels] for labels in piece.labels], dtype=np.int64)
        columns = slice(first, first + len(piece.timestamps))
        values[rows, columns], present[rows, columns] = piece.values, piece.present
        first = columns.stop
    return Matrix(list(row_of), grid.times, values, present)


def _seconds(ms: int) -> str:
    """Milliseconds as seconds, exactly."""
    sign, ms = ("-", -ms) if ms < 0 else ("", ms)
    return f"{sign}{ms // 1000}.{ms % 1000:03d}"
