"""From the JSON of Prometheus's HTTP API to our results, and from its errors to ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import orjson

from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.model.samples import BoolArray, SeriesSamples, TimeArray, ValueArray
from pynomaly.promql.contract import (
    Matrix,
    ParseError,
    QueryError,
    QueryTimeout,
    Scalar,
    String,
)
from pynomaly.promql.parser import parse
from pynomaly.promql.state import Grid
from pynomaly.storage.peer.client import Answer
from pynomaly.storage.peer.errors import PeerAway, PeerRefused

Json = Mapping[str, Any]
_OWN_WORDS = ("PromQL warning:", "PromQL info:")


@dataclass(frozen=True, slots=True)
class Found:
    """A successful answer. ``partial`` says why it may lack series, or is empty."""

    data: Any
    warnings: Sequence[str]
    infos: Sequence[str]
    partial: str = ""


def read(answer: Answer, url: str, expr: str = "") -> Found:
    """What a successful answer holds.

    ``partial``: VictoriaMetrics says so; Prometheus, Thanos and Mimir warn of what they could not
    read, in warnings that are not PromQL's own.

    Raises:
        ParseError, QueryError, QueryTimeout: the server says so.
        PeerRefused: there is no such API.
        PeerAway: the server fails, or this is no answer of Prometheus's API.
    """
    said = _json(answer, url)
    if said.get("status") != "success" or "data" not in said:
        _raise(answer, said, url, expr)
    warnings = [str(each) for each in said.get("warnings") or ()]
    infos = [str(each) for each in said.get("infos") or ()]
    partial = "; ".join(w for w in warnings if not w.startswith(_OWN_WORDS))
    if not partial and said.get("isPartial"):
        partial = "a part of its storage did not answer"
        warnings.append(f"the answer is partial: {partial}")
    return Found(said["data"], warnings, infos, partial)


def _json(answer: Answer, url: str) -> Json:
    try:
        said = orjson.loads(answer.body)
        if isinstance(said, dict):
            return said
    except orjson.JSONDecodeError as error:
        if answer.status < 300:
            raise PeerAway(f"The answer of {url} is broken: {error}.") from error
    shown = f"{answer.status} {answer.text()[:200]}".rstrip()
    if answer.not_now():
        raise PeerAway(f"{url} fails: {shown}")
    raise PeerRefused(
        f"{url} does not answer as Prometheus does: {shown}",
        hint="Set prometheus.url to where its API is, with its path prefix.",
    )


def _raise(answer: Answer, said: Json, url: str, expr: str) -> NoReturn:
    kind, message = str(said.get("errorType", "")), str(said.get("error", "")) or answer.text()
    if kind in ("timeout", "canceled"):
        raise QueryTimeout(message)
    if kind == "bad_data":
        raise ParseError(_bare(message))
    if kind == "execution":
        raise QueryError(message)
    if answer.not_now() or answer.status < 300:
        raise PeerAway(f"{url} fails: {answer.status} {message}")
    if answer.status == 404:
        raise PeerRefused(f"{url} has no such API: {message}")
    if not _understood(expr):  # VictoriaMetrics says 422 to everything
        raise ParseError(message)
    raise QueryError(message)


def _bare(message: str) -> str:
    """Without the name of the parameter, which whoever answers a client adds."""
    return message.removeprefix('invalid parameter "query": ')


def _understood(expr: str) -> bool:
    try:
        parse(expr)
    except PynomalyError:
        return False
    return True


def instant_value(
    found: Found, url: str, at_ms: int
) -> tuple[Matrix | Scalar | String | SeriesSamples, int]:
    """The value of an instant query, and how many native histograms were left out."""
    try:
        kind, result = found.data["resultType"], found.data["result"]
        at = np.array([at_ms], dtype=np.int64)
        if kind == "scalar":
            return Scalar(at, np.array([float(result[1])])), 0
        if kind == "string":
            return String(round(result[0] * 1000), str(result[1])), 0
        if kind == "matrix":
            return _samples(result)
        if kind != "vector":
            raise ValueError(f"unknown result type {kind!r}")
        plain = [series for series in result if "value" in series]
        values = np.array([[float(s["value"][1])] for s in plain]).reshape(len(plain), 1)
        present = np.ones(values.shape, dtype=np.bool_)
        matrix = Matrix([Labels(s["metric"]) for s in plain], at, values, present)
        return matrix, len(result) - len(plain)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _broken(url, error) from error


def range_value(found: Found, url: str, grid: Grid) -> tuple[Matrix, int]:
    """The matrix of a range query, and how many native histograms were left out.

    Raises:
        PeerAway: it is not such an answer, or is for other times than those of ``grid``.
    """
    try:
        if found.data["resultType"] != "matrix":
            raise ValueError("a range query did not give a matrix")
        result = found.data["result"]
        plain = [series for series in result if series.get("values")]
        values, present = _on_grid(plain, grid)
        labels = [Labels(series["metric"]) for series in plain]
        return Matrix(labels, grid.times, values, present), len(result) - len(plain)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _broken(url, error) from error


def _on_grid(series: Sequence[Json], grid: Grid) -> tuple[ValueArray, BoolArray]:
    lengths, ts, numbers = _points(series)
    steps, off = np.divmod(ts - grid.start, grid.step)
    if off.any() or (steps < 0).any() or (steps >= grid.count).any():
        raise ValueError("it was made for other times than asked")
    rows = np.repeat(np.arange(len(series)), lengths)
    values = np.full((len(series), grid.count), np.nan)
    present = np.zeros(values.shape, dtype=np.bool_)
    values[rows, steps], present[rows, steps] = numbers, True
    return values, present


def _samples(result: Sequence[Json]) -> tuple[SeriesSamples, int]:
    plain = [series for series in result if series.get("values")]
    plain.sort(key=lambda series: Labels(series["metric"]))
    lengths, ts, values = _points(plain)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    labels = [Labels(series["metric"]) for series in plain]
    return SeriesSamples(labels, offsets, ts, values), len(result) - len(plain)


def _points(series: Sequence[Json]) -> tuple[TimeArray, TimeArray, ValueArray]:
    """How many points each has, and the times and values of all, one series after the other."""
    lengths = np.array([len(each["values"]) for each in series], dtype=np.int64)
    seconds = np.array([p[0] for each in series for p in each["values"]], dtype=np.float64)
    numbers = np.array([float(p[1]) for each in series for p in each["values"]], dtype=np.float64)
    return lengths, np.rint(seconds * 1000).astype(np.int64), numbers


def _broken(url: str, error: Exception) -> PeerAway:
    return PeerAway(f"The answer of {url} is broken: {error}.")
