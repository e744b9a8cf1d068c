"""A server that answers slowly, in part, wrongly or not at all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cramjam
import numpy as np
import pytest
from aiohttp import web
from fake_peer import FakePeer, failure, serving, success

from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import STALE, SampleBatch
from pynomaly.promql.config import QuerySettings
from pynomaly.promql.contract import Matrix, ParseError, QueryError, QueryTimeout
from pynomaly.promql.remote import PeerApi, RemoteQuerier
from pynomaly.storage.peer.client import PeerClient
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.peer.errors import (
    AnswerTooLarge,
    PartialAnswer,
    PeerAway,
    PeerBusy,
    PeerRefused,
    PeerSettling,
)
from pynomaly.storage.peer.watch import PeerWatch
from pynomaly.storage.samples.forward import Forwarder
from pynomaly.storage.samples.remote import RemoteAppender

ONE = success("vector", [{"metric": {"a": "b"}, "value": [1.0, "7"]}])
UP = success("vector", [{"metric": {}, "value": [1.0, "1"]}])


class Hasty(FakeClock):
    """Whoever sleeps wakes at once, and it is later."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep_until(self, at: float) -> None:
        self.slept.append(at - self.now())
        self._now = max(self._now, at)
        await asyncio.sleep(0)


@dataclass
class Rig:
    peer: FakePeer
    clock: Hasty
    client: PeerClient
    watch: PeerWatch
    querier: RemoteQuerier
    judging: RemoteQuerier
    appender: RemoteAppender

    @classmethod
    def over(cls, peer: FakePeer, **settings: Any) -> "Rig":
        clock = Hasty()
        options = {"url": peer.url, "retries": 2, "settle": "1m", **settings}
        client = PeerClient(PeerSettings.model_validate(options), clock)
        watch, api = PeerWatch(client), PeerApi(client)
        limits = QuerySettings(max_samples=100_000)
        return cls(
            peer,
            clock,
            client,
            watch,
            RemoteQuerier(api, watch, limits),
            RemoteQuerier(api, watch, limits, judging=True),
            RemoteAppender(client, watch),
        )


@pytest.fixture
async def peer() -> AsyncIterator[FakePeer]:
    async with serving() as peer:
        peer.then(ONE)
        yield peer


@pytest.fixture
async def rig(peer: FakePeer) -> AsyncIterator[Rig]:
    rig = Rig.over(peer)
    yield rig
    await rig.client.close()


def batch(*rows: tuple[str, int, float]) -> SampleBatch:
    return SampleBatch.of([(Labels({"__name__": n}), at, v) for n, at, v in rows])


async def silent(request: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return ONE


# What is asked


async def test_a_query_is_a_form_with_its_times_in_seconds(rig: Rig) -> None:
    await rig.querier.instant("sum(up)", 1_700_000_000_123, timeout=7)
    rig.peer.then(success("matrix", []))
    await rig.querier.range("up", 1_000, 61_500, 30_000)
    instant, ranged = rig.peer.asked
    assert (instant.method, instant.path) == ("POST", "/api/v1/query")
    assert instant.form["query"] == "sum(up)"
    assert instant.form["time"] == "1700000000.123"
    assert instant.form["timeout"] == "7.000"
    assert {k: ranged.form[k] for k in ("start", "end", "step")} == {
        "start": "1.000",
        "end": "61.000",
        "step": "30.000",
    }


async def test_a_lookback_is_asked_for_by_the_names_of_both_servers(rig: Rig) -> None:
    await rig.querier.looking_back(90_500).instant("up", 0)
    rig.peer.then(success("matrix", []))
    await rig.querier.looking_back(90_500).range("up", 0, 1_000, 1_000)
    for each in rig.peer.asked:
        assert each.form["lookback_delta"] == each.form["max_lookback"] == "90.500"


async def test_prefix_headers_credentials_and_parameters_are_sent(
    peer: FakePeer, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "tenant").write_text("team-a\n")
    rig = Rig.over(
        peer,
        url=f"{peer.url}/prometheus/",
        method="GET",
        parameters={"dedup": "true"},
        bearer_token_file=tmp_path / "token",
        headers={"X-Other": "x"},
        header_files={"X-Scope-OrgID": tmp_path / "tenant"},
    )
    await rig.querier.instant("up", 0)
    (tmp_path / "token").write_text("rotated\n")
    await rig.querier.instant("up", 0)
    await rig.client.close()
    first, second = peer.asked
    assert (first.method, first.path) == ("GET", "/prometheus/api/v1/query")
    assert first.form["dedup"] == "true"
    assert first.headers["x-scope-orgid"] == "team-a"
    assert first.headers["x-other"] == "x"
    assert first.headers["authorization"] == "Bearer s3cret"
    assert second.headers["authorization"] == "Bearer rotated"


async def test_basic_authentication(peer: FakePeer) -> None:
    rig = Rig.over(peer, username="me", password="pässword")
    await rig.querier.instant("up", 0)
    await rig.client.close()
    assert peer.asked[0].headers["authorization"] == "Basic bWU6cMOkc3N3b3Jk"


async def test_a_certificate_that_nobody_vouches_for_is_away_and_says_why(
    peer: FakePeer,
) -> None:
    rig = Rig.over(peer, url=peer.url.replace("http:", "https:"), retries=0)
    with pytest.raises(PeerAway, match=r"SSL|ssl|TLS"):
        await rig.querier.instant("up", 0)
    await rig.client.close()


async def test_a_missing_file_of_a_secret_is_said_by_name(peer: FakePeer, tmp_path: Path) -> None:
    rig = Rig.over(peer, bearer_token_file=tmp_path / "absent")
    with pytest.raises(PeerRefused, match="absent"):
        await rig.querier.instant("up", 0)
    await rig.client.close()
    assert peer.asked == []


# What is answered


async def test_warnings_and_infos_are_passed_on(rig: Rig) -> None:
    rig.peer.then(success("vector", [], warnings=["PromQL warning: w"], infos=["PromQL info: i"]))
    result = await rig.judging.instant("up", 0)
    assert (result.warnings, result.infos) == (("PromQL warning: w",), ("PromQL info: i",))


@pytest.mark.parametrize(
    "more",
    [
        {"warnings": ["PromQL info: x", "fetch series from store-2: deadline exceeded"]},
        {"isPartial": True},
    ],
)
async def test_a_partial_answer_is_shown_with_a_warning_and_never_judged_by(
    more: dict[str, Any], rig: Rig
) -> None:
    rig.peer.then(success("vector", [], **more))
    assert (await rig.querier.instant("absent(up)", 0)).warnings
    with pytest.raises(PartialAnswer, match=r"store|storage"):
        await rig.judging.instant("absent(up)", 0)


async def test_native_histograms_are_left_out_with_a_warning(rig: Rig) -> None:
    series = {"metric": {"h": "1"}, "histogram": [1, {"count": "3", "sum": "1"}]}
    rig.peer.then(success("vector", [series, {"metric": {}, "value": [1, "2"]}]))
    result = await rig.querier.instant("x", 1000)
    assert isinstance(result.value, Matrix)
    assert result.value.values.tolist() == [[2.0]]
    assert "1 series of native histograms" in result.warnings[0]


@pytest.mark.parametrize(
    "garbage",
    [
        b"{",
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}, 5]}}',
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}',
        b'{"status":"success","data":{"resultType":"vector","result":'
        b'[{"metric":{},"value":[1,"much"]}]}}',
        b'{"status":"success","data":{"resultType":"streams","result":[]}}',
        b'{"status":"success","data":[]}',
        b'{"status":"success"}',
    ],
)
async def test_a_broken_answer_is_its_fault_and_not_the_querys(garbage: bytes, rig: Rig) -> None:
    rig.peer.then(web.Response(body=garbage, content_type="application/json"))
    with pytest.raises(PeerAway):
        await rig.judging.instant("up", 0)


async def test_an_answer_for_other_times_is_refused(rig: Rig) -> None:
    series = {"metric": {}, "values": [[0, "1"], [47, "2"]]}
    rig.peer.then(success("matrix", [series]))
    with pytest.raises(PeerAway, match="other times"):
        await rig.querier.range("x", 0, 60_000, 30_000)


async def test_a_web_page_instead_of_an_api_says_which_setting_is_wrong(rig: Rig) -> None:
    for status in (200, 404):
        rig.peer.then(web.Response(status=status, text="<html>hello</html>"))
        with pytest.raises((PeerRefused, PeerAway)) as caught:
            await rig.querier.instant("up", 0)
    assert "prometheus.url" in str(caught.value)


async def test_a_redirect_is_not_followed(rig: Rig) -> None:
    rig.peer.then(web.Response(status=302, headers={"Location": "/graph"}))
    with pytest.raises(PeerRefused, match="redirects to /graph"):
        await rig.querier.instant("up", 0)
    assert len(rig.peer.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_not_tried_again(status: int, rig: Rig) -> None:
    rig.peer.then(web.Response(status=status))
    with pytest.raises(PeerRefused, match="credentials"):
        await rig.querier.instant("up", 0)
    assert len(rig.peer.asked) == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failure(400, "bad_data", 'invalid parameter "query": 1:1: parse error: x'), ParseError),
        (failure(422, "execution", "multiple matches"), QueryError),
        (failure(503, "timeout", "query timed out"), QueryTimeout),
        (failure(503, "canceled", "query was canceled"), QueryTimeout),
        (failure(500, "internal", "disk on fire"), PeerAway),
        (failure(422, "422", "cannot do it"), QueryError),
    ],
)
async def test_errors_are_those_of_the_contract(
    reply: web.Response, error: type[Exception], rig: Rig
) -> None:
    rig.peer.then(reply)
    with pytest.raises(error) as caught:
        await rig.querier.instant("up", 0)
    assert "invalid parameter" not in str(caught.value)


async def test_too_large_an_answer_is_cut_off(peer: FakePeer) -> None:
    rig = Rig.over(peer, max_answer_bytes=2000)
    peer.then(web.Response(body=b"x" * 5000))
    with pytest.raises(AnswerTooLarge, match="max_answer_bytes"):
        await rig.querier.instant("up", 0)
    await rig.client.close()


async def test_more_points_than_allowed_are_refused(rig: Rig) -> None:
    with pytest.raises(QueryError, match="too many samples"):
        await rig.querier.range("up", 0, 100_001, 1)
    assert rig.peer.asked == []


async def test_a_range_of_many_steps_is_asked_for_in_pieces_that_fit(rig: Rig) -> None:
    def reply(request: web.Request) -> Any:
        async def answer() -> web.Response:
            form = await request.post()
            start, end = float(str(form["start"])), float(str(form["end"]))
            series = [{"metric": {"a": "b"}, "values": [[start, "1"], [end, "2"]]}]
            if start == 0:
                series.append({"metric": {"only": "first"}, "values": [[0, "3"]]})
            return success("matrix", series)

        return answer()

    rig.peer.then(reply)
    value = (await rig.querier.range("up", 0, 25_000_000, 1000)).value
    assert isinstance(value, Matrix)
    assert [(a.form["start"], a.form["end"]) for a in rig.peer.asked] == [
        ("0.000", "10999.000"),
        ("11000.000", "21999.000"),
        ("22000.000", "25000.000"),
    ]
    assert value.values.shape == (2, 25_001)
    where = np.flatnonzero(value.present[0]).tolist()
    assert where == [0, 10_999, 11_000, 21_999, 22_000, 25_000]
    assert value.present[1].sum() == 1


@pytest.mark.parametrize("expr", ["up @ end()", "count_values_over_time('x', up[1m])"])
async def test_what_means_something_else_in_pieces_is_not_divided(expr: str, rig: Rig) -> None:
    with pytest.raises(QueryError, match="more than 11000 steps"):
        await rig.querier.range(expr, 0, 25_000_000, 1000)
    assert rig.peer.asked == []


# What is tried again


async def test_a_failing_gateway_is_tried_again_after_a_growing_wait(rig: Rig) -> None:
    rig.peer.then(web.Response(status=502), web.Response(status=503), ONE)
    assert len((await rig.querier.instant("up", 0)).value) == 1  # type: ignore[arg-type] # a Matrix
    assert rig.clock.slept == [0.25, 0.5]


async def test_retry_after_is_honoured_within_reason(rig: Rig) -> None:
    busy = web.Response(status=429, headers={"Retry-After": "3"})
    rig.peer.then(busy, web.Response(status=429, headers={"Retry-After": "9999"}), ONE)
    await rig.querier.instant("up", 0)
    assert rig.clock.slept == [3.0, 10.0]


async def test_tries_are_bounded(rig: Rig) -> None:
    rig.peer.then(web.Response(status=502, text="no upstream"))
    with pytest.raises(PeerAway, match="502 no upstream"):
        await rig.querier.instant("up", 0)
    assert len(rig.peer.asked) == 3


async def test_a_query_that_the_server_gave_up_is_not_tried_again(rig: Rig) -> None:
    rig.peer.then(failure(503, "timeout", "query timed out"))
    with pytest.raises(QueryTimeout):
        await rig.querier.instant("up", 0)
    assert len(rig.peer.asked) == 1


async def test_a_connection_that_breaks_is_tried_again(rig: Rig) -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    rig.peer.then(hang_up, ONE)
    await rig.querier.instant("up", 0)
    assert len(rig.peer.asked) == 2


async def test_silence_is_a_timeout_and_is_not_asked_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pynomaly.promql.remote._GRACE", 0.0)
    rig.peer.then(silent)
    with pytest.raises(QueryTimeout, match="did not answer within"):
        await rig.querier.instant("up", 0, timeout=0.2)
    assert len(rig.peer.asked) == 1


# Whether it is there


async def fail_checks(rig: Rig, count: int) -> None:
    rig.peer.then(web.Response(status=502))
    for _ in range(count):
        await rig.watch.check()


async def test_one_failed_check_is_not_away_and_three_are(rig: Rig) -> None:
    rig.peer.then(UP)
    await rig.watch.check()
    await fail_checks(rig, 2)
    assert rig.watch.trouble() is None
    await fail_checks(rig, 1)
    assert "502" in (rig.watch.trouble() or "")
    asked = len(rig.peer.asked)
    with pytest.raises(PeerAway, match="502"):
        await rig.querier.instant("up", 0)
    with pytest.raises(PeerAway):
        await rig.appender.append(batch(("x", 1, 1.0)))
    assert len(rig.peer.asked) == asked, "what is away is spared"


async def test_away_at_the_start_is_known_at_the_first_check(rig: Rig) -> None:
    await fail_checks(rig, 1)
    assert rig.watch.away


async def test_when_it_is_back_people_see_it_at_once_and_judges_wait(rig: Rig) -> None:
    await fail_checks(rig, 1)
    rig.peer.then(UP)
    await rig.watch.check()
    assert "back" in (rig.watch.trouble() or "")
    await rig.querier.instant("up", 0)
    with pytest.raises(PeerSettling):
        await rig.judging.instant("absent(up)", 0)
    await rig.clock.sleep_until(rig.clock.now() + 60)
    await rig.judging.instant("absent(up)", 0)
    assert rig.watch.trouble() is None


async def test_what_was_asked_before_it_stood_still_is_not_judged_by_afterwards(rig: Rig) -> None:
    rig.peer.then(UP)
    await rig.watch.check()
    release = asyncio.Event()

    async def late(request: web.Request) -> web.Response:
        await release.wait()
        return success("vector", [{"metric": {}, "value": [1, "1"]}])

    rig.peer.then(late)
    asked = asyncio.create_task(rig.judging.instant("absent(up)", 0))
    while len(rig.peer.asked) < 2:
        await asyncio.sleep(0.01)
    await fail_checks(rig, 3)
    rig.peer.then(UP)
    await rig.watch.check()
    release.set()
    with pytest.raises(PeerSettling):
        await asked


# What is written


async def test_a_write_is_tried_again_and_then_stored(rig: Rig) -> None:
    rig.peer.then(web.Response(status=503), web.Response(status=429), web.Response(status=204))
    appended = await rig.appender.append(batch(("x", 1_700_000_000_000, 1.0)))
    assert (appended.stored, rig.appender.trouble()) == (1, None)
    headers = rig.peer.asked[0].headers
    assert headers["content-encoding"] == "snappy"
    assert headers["x-prometheus-remote-write-version"] == "0.1.0"
    assert len({asked.body for asked in rig.peer.asked}) == 1


async def test_a_write_that_fails_for_good_says_why_and_can_be_sent_again(rig: Rig) -> None:
    rig.peer.then(web.Response(status=500, text="disk full"))
    with pytest.raises(PeerAway, match="500: disk full"):
        await rig.appender.append(batch(("x", 1, 1.0)))
    assert "disk full" in (rig.appender.trouble() or "")
    rig.peer.then(web.Response(status=204))
    assert (await rig.appender.append(batch(("x", 1, 1.0)))).stored == 1
    assert rig.appender.trouble() is None


async def test_no_receiver_is_said_with_what_to_do(rig: Rig) -> None:
    text = "remote write receiver needs to be enabled with --web.enable-remote-write-receiver"
    rig.peer.then(web.Response(status=404, text=text))
    appended = await rig.appender.append(batch(("x", 1, 1.0), ("y", 1, float(STALE))))
    assert (appended.stored, sum(appended.refused.values())) == (0, 2)
    assert "--web.enable-remote-write-receiver" in (rig.appender.trouble() or "")


async def test_what_is_refused_is_found_with_a_bounded_number_of_requests(rig: Rig) -> None:
    rig.peer.then(web.Response(status=400, text="out of bounds"))
    rows = batch(*((f"x{i}", i, 1.0) for i in range(5000)))
    appended = await rig.appender.append(rows)
    assert (appended.stored, dict(appended.refused)) == (0, {"out of bounds": 5000})
    assert len(rig.peer.asked) <= 65


async def test_too_much_that_waits_is_busy(peer: FakePeer) -> None:
    rig = Rig.over(peer, max_pending_samples=2)
    peer.then(silent)
    waiting = asyncio.create_task(rig.appender.append(batch(("x", 1, 1.0), ("y", 1, 1.0))))
    while not peer.asked:
        await asyncio.sleep(0.01)
    with pytest.raises(PeerBusy) as caught:
        await rig.appender.append(batch(("z", 1, 1.0)))
    assert caught.value.status == 429
    waiting.cancel()
    await asyncio.wait([waiting])
    peer.then(web.Response(status=204))
    assert (await rig.appender.append(batch(("z", 1, 1.0)))).stored == 1
    await rig.client.close()


async def test_own_samples_wait_in_order_while_it_is_away_and_the_oldest_go_first(
    rig: Rig,
) -> None:
    clock = FakeClock()
    await fail_checks(rig, 1)
    forwarder = Forwarder(rig.appender, clock, max_samples=3)
    for n in range(5):
        forwarder.offer(batch((f"own_{n}", 1_700_000_000_000 + n, 1.0)))
        await asyncio.sleep(0)
    rig.peer.then(UP)
    await rig.watch.check()
    before = len(rig.peer.asked)
    rig.peer.then(web.Response(status=204))
    await clock.advance(5)
    while len(rig.peer.asked) < before + 3:
        await asyncio.sleep(0.01)
    await forwarder.close()
    bodies = [asked.body for asked in rig.peer.asked[before:]]
    for n, body in zip((2, 3, 4), bodies, strict=True):
        assert f"own_{n}".encode() in bytes(cramjam.snappy.decompress_raw(body))


def test_a_login_does_not_belong_into_the_address() -> None:
    with pytest.raises(ValueError, match="username and password"):
        PeerSettings.model_validate({"url": "http://me:secret@prometheus:9090"})
