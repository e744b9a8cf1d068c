"""``query`` and ``query_range``: parameters, envelope, errors."""

import asyncio
import gzip
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
import pytest
from prometheus_app import NOW, Client, Stage, application, serving

from pynomaly.model.labels import Labels
from pynomaly.promql.contract import Matrix, QueryError, QueryResult, QueryTimeout

QUERY, RANGE = "/api/v1/query", "/api/v1/query_range"


class Answering:
    """A querier that gives what it was told to, and remembers what it was asked."""

    def __init__(self, result: QueryResult | Exception) -> None:
        self.result = result
        self.asked: list[tuple[object, ...]] = []

    async def instant(self, expr, at_ms, *, timeout=120.0):
        return self._answer(expr, at_ms, timeout)

    async def range(self, expr, start_ms, end_ms, step_ms, *, timeout=120.0):
        return self._answer(expr, start_ms, end_ms, step_ms, timeout)

    def _answer(self, *asked):
        self.asked.append(asked)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def empty() -> QueryResult:
    return QueryResult(Matrix.empty(np.array([NOW * 1000], dtype=np.int64)))


def test_an_instant_query_is_answered_in_prometheus_form(client: Client) -> None:
    answer = client.get(QUERY, {"query": 'requests_total{code="200"}', "time": NOW})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {
                    "metric": {"__name__": "requests_total", "code": "200", "job": "api"},
                    "value": [NOW, "7800"],
                }
            ],
        },
    }


def test_a_range_query_is_answered_in_prometheus_form(client: Client) -> None:
    asked = {"query": "temperature_celsius * 2", "start": NOW - 60, "end": NOW, "step": "30s"}
    assert client.get(RANGE, asked).json()["data"] == {
        "resultType": "matrix",
        "result": [
            {"metric": {"room": "hall"}, "values": [[NOW - ago, "41"] for ago in (60, 30, 0)]}
        ],
    }


def test_a_range_selector_gives_its_samples_with_their_milliseconds(client: Client) -> None:
    data = client.get(QUERY, {"query": "temperature_celsius[31s]", "time": NOW}).json()["data"]
    assert data["resultType"] == "matrix"
    assert data["result"][0]["values"] == [[NOW - 29.877, "20.5"], [NOW - 14.877, "20.5"]]


def test_scalars_and_strings_have_types_of_their_own(client: Client) -> None:
    answers = [client.get(QUERY, {"query": q, "time": 5}).json()["data"] for q in ("1e6", '"ü"')]
    assert answers == [
        {"resultType": "scalar", "result": [5, "1000000"]},
        {"resultType": "string", "result": [5, "ü"]},
    ]


def test_without_a_time_the_clock_says_it(client: Client) -> None:
    assert client.get(QUERY, {"query": "time()"}).json()["data"]["result"] == [NOW, str(NOW)]


def test_a_form_is_read_before_the_query_string(client: Client) -> None:
    answer = client.request("POST", f"{QUERY}?query=1&time=7", data={"query": "2"})
    assert answer.json()["data"]["result"] == [7, "2"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000.1239", 1700000000.124),
        ("1e9", 1000000000),
        ("-1.5", -1.5),
        ("2023-11-14T22:13:20Z", 1700000000),
        ("2023-11-14T23:13:20.123999+01:00", 1700000000.123),
    ],
)
def test_times_are_seconds_or_rfc3339(client: Client, text: str, seconds: float) -> None:
    assert client.get(QUERY, {"query": "1", "time": text}).json()["data"]["result"][0] == seconds


@pytest.mark.parametrize(
    ("step", "milliseconds"), [("1m30s", 90_000), ("0.5", 500), ("15", 15_000), ("1d", 86_400_000)]
)
def test_durations_are_seconds_or_units(step: str, milliseconds: int) -> None:
    querier = Answering(empty())
    with serving(Stage(querier=querier)) as client:
        asked = {"query": "up", "start": 0, "end": 1, "step": step, "timeout": "1m30s"}
        assert client.get(RANGE, asked).status_code == 200
    assert querier.asked == [("up", 0, 1000, milliseconds, 90.0)]


def test_a_client_cannot_have_more_time_than_the_server_gives() -> None:
    querier = Answering(empty())
    with serving(Stage(querier=querier)) as client:
        client.get(QUERY, {"query": "up", "time": 1, "timeout": "1h"})
    assert querier.asked == [("up", 1000, 120.0)]


WHOLE = {"query": "up", "start": "0", "end": "60", "step": "15"}


NO_TIME = "invalid time value for 'time': cannot parse "
NO_STEP = "zero or negative query resolution step widths are not accepted. Try a positive integer"
NO_VECTOR = 'expression type "range vector" for range query, must be Scalar or instant Vector'


@pytest.mark.parametrize(
    ("path", "wrong", "name", "fault"),
    [
        (QUERY, {"time": "x"}, "time", NO_TIME + '"x" to a valid timestamp'),
        (QUERY, {"time": "2023-06-31T00:00:00Z"}, "time", NO_TIME + '"2023-06-31T00:00:00Z" to a'),
        (QUERY, {"timeout": "x"}, "timeout", 'cannot parse "x" to a valid duration'),
        (QUERY, {"limit": "x"}, "limit", 'strconv.Atoi: parsing "x": invalid syntax'),
        (QUERY, {"limit": "-1"}, "limit", "limit must be non-negative"),
        (RANGE, {"start": ""}, "start", 'cannot parse "" to a valid timestamp'),
        (RANGE, {"end": ""}, "end", 'cannot parse "" to a valid timestamp'),
        (RANGE, {"start": "61"}, "end", "end timestamp must not be before start time"),
        (RANGE, {"step": ""}, "step", 'cannot parse "" to a valid duration'),
        (RANGE, {"step": "1s1m"}, "step", 'cannot parse "1s1m" to a valid duration'),
        (RANGE, {"step": "400y"}, "step", 'cannot parse "400y" to a valid duration'),
        (RANGE, {"step": "1e300"}, "step", 'cannot parse "1e300" to a valid duration. It overflo'),
        (RANGE, {"step": "0"}, "step", NO_STEP),
        (RANGE, {"step": "-1"}, "step", NO_STEP),
        (RANGE, {"query": "up[5m]"}, "query", f"invalid {NO_VECTOR}"),
    ],
)
def test_a_wrong_parameter_is_named_in_prometheus_words(
    client: Client, path: str, wrong: dict[str, str], name: str, fault: str
) -> None:
    asked = (WHOLE if path == RANGE else {"query": "up"}) | wrong
    for method, where in (("GET", "params"), ("POST", "data")):
        answer = client.request(method, path, **{where: asked})
        body = answer.json()
        assert (answer.status_code, body["status"], body["errorType"]) == (400, "error", "bad_data")
        assert body["error"].startswith(f'invalid parameter "{name}": {fault}')


def test_more_than_eleven_thousand_steps_are_refused(client: Client) -> None:
    answer = client.get(RANGE, WHOLE | {"end": "11001", "step": "1"})
    assert answer.status_code == 400
    assert answer.json()["error"] == (
        "exceeded maximum resolution of 11,000 points per timeseries."
        " Try decreasing the query resolution (?step=XX)"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", 3),
        ("1m", 3),
        ("14.9", 3),
        ("14878ms", 3),
        ("14.877", 0),
        ("14877ms", 0),
        ("0", 3),
        ("0s", 3),
        ("-5", 3),
    ],
)
def test_a_query_has_the_lookback_that_it_asks_for(client: Client, text: str, found: int) -> None:
    # The newest samples are 14.877 s old; 0 and less mean the server's own.
    asked = {"query": '{__name__=~".+"}', "lookback_delta": text}
    assert len(client.get(QUERY, asked | {"time": NOW}).json()["data"]["result"]) == found
    asked |= {"start": NOW - 30, "end": NOW, "step": 30}
    assert len(client.get(RANGE, asked).json()["data"]["result"]) == found


@pytest.mark.parametrize("path", [QUERY, RANGE])
def test_a_lookback_that_is_no_duration_is_named(client: Client, path: str) -> None:
    asked = {"query": "up", "start": 0, "end": 1, "step": 1, "lookback_delta": "5 apples"}
    answer = client.get(path, asked)
    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
    assert answer.json()["error"] == (
        'error parsing lookback delta duration: cannot parse "5 apples" to a valid duration'
    )


def test_eleven_thousand_steps_are_allowed(client: Client) -> None:
    asked = {"query": "vector(1)", "start": 0, "end": 11_000, "step": 1}
    assert len(client.get(RANGE, asked).json()["data"]["result"][0]["values"]) == 11_001


def test_a_parse_error_says_where(client: Client) -> None:
    answer = client.get(QUERY, {"query": "sum(up"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith('invalid parameter "query": 1:7: parse error:')


@pytest.mark.parametrize(
    ("error", "status", "kind", "said"),
    [
        (
            QueryError("many-to-many", hint="Use group_left."),
            422,
            "execution",
            "many-to-many. Use group_left.",
        ),
        (QueryTimeout("query timed out"), 503, "timeout", "query timed out"),
        (
            RuntimeError("a bug"),
            500,
            "internal",
            "unexpected RuntimeError; the server's log has the details",
        ),
    ],
)
def test_what_goes_wrong_while_evaluating_keeps_its_kind(
    error: Exception, status: int, kind: str, said: str
) -> None:
    with serving(Stage(querier=Answering(error))) as client:
        answer = client.get(QUERY, {"query": "up"})
    assert answer.status_code == status
    # Prometheus's description of an error knows these keys and no others.
    assert answer.json() == {"status": "error", "errorType": kind, "error": said}


def test_a_limit_keeps_the_first_series_and_warns(client: Client) -> None:
    answer = client.get(QUERY, {"query": "requests_total", "time": NOW, "limit": 1}).json()
    assert [s["metric"]["code"] for s in answer["data"]["result"]] == ["200"]
    assert answer["warnings"] == ["results truncated due to limit"]
    assert "warnings" not in client.get(QUERY, {"query": "up", "limit": 1}).json()


def test_warnings_and_infos_are_passed_on_ten_at_most() -> None:
    notes = [f"note {number}" for number in range(12)]
    result = QueryResult(empty().value, warnings=notes, infos=notes[:1])
    with serving(Stage(querier=Answering(result))) as client:
        answer = client.get(QUERY, {"query": "up"}).json()
    assert answer["warnings"] == [*notes[:10], "2 more warning annotations omitted"]
    assert answer["infos"] == ["note 0"]


def big_answer() -> QueryResult:
    times = np.arange(1000, dtype=np.int64) * 1000
    labels = [Labels({"__name__": "up", "i": str(i)}) for i in range(10)]
    values = np.random.default_rng(1).random((10, 1000))
    return QueryResult(Matrix(labels, times, values, np.ones(values.shape, dtype=np.bool_)))


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "br, GZIP"])
def test_a_large_answer_is_compressed_for_who_takes_it(accepted: str) -> None:
    with serving(Stage(querier=Answering(big_answer()))) as client:
        plain = client.get(RANGE, WHOLE, headers={"accept-encoding": "identity"})
        small = client.get(RANGE, WHOLE, headers={"accept-encoding": accepted})
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert small.headers["vary"] == "Accept-Encoding"
    assert int(small.headers["content-length"]) < len(plain.content) * 0.6
    assert small.json() == plain.json()


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "br"])
def test_who_does_not_take_gzip_gets_it_plain(accepted: str) -> None:
    with serving(Stage(querier=Answering(big_answer()))) as client:
        answer = client.get(RANGE, WHOLE, headers={"accept-encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert not answer.content.startswith(gzip.compress(b"")[:2])


def test_a_small_answer_is_not_compressed(client: Client) -> None:
    answer = client.get(QUERY, {"query": "1"}, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers


class Endless:
    """A querier that never answers, and notes that it was cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False

    async def instant(self, expr, at_ms, *, timeout=120.0):
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_a_query_ends_when_its_client_goes_away() -> None:
    querier = Endless()
    with ThreadPoolExecutor(1) as executor:
        app = application(Stage(querier=querier), executor)
        sent = []

        async def receive():
            if sent_request:
                await querier.begun.wait()
                return {"type": "http.disconnect"}
            sent_request.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        sent_request: list[bool] = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": QUERY,
            "raw_path": QUERY.encode(),
            "query_string": b"query=up",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "scheme": "http",
            "http_version": "1.1",
        }
        async with asyncio.timeout(30):
            await app(scope, receive, send)
    assert querier.cancelled
    assert sent[0]["status"] == 499
    assert orjson.loads(sent[1]["body"])["errorType"] == "canceled"
