"""One target: what of its answers is stored, and what is said when it fails."""

import asyncio
import gzip

import pytest
from aiohttp import web

from pynomaly import __version__
from pynomaly.model.samples import Appended, SampleBatch
from pynomaly.storage.engine.contract import DiskFull, EngineBusy
from tests.ingest.scrape.rig import START, exposer, exposes, fails, job, rig, until

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def of(address: str, series: str) -> str:
    """A series as it is stored, with the target's labels."""
    name, _, rest = series.partition("{")
    labels = [*filter(None, rest.rstrip("}").split(", ")), f'instance="{address}"', 'job="job"']
    return f"{name}{{{', '.join(sorted(labels))}}}"


async def test_samples_get_the_labels_of_the_target_and_the_time_of_the_scrape() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes('a{x="1"} 2\nb NaN\n')
        await scraping.tick()
        assert scraping.stored.rows() == {
            of(target.address, 'a{x="1"}'): 2.0,
            of(target.address, "b"): "NaN",
        }
        at = scraping.manager.targets()[0].last_scrape
        assert set(scraping.stored.times().values()) == {round(at * 1000)}
        assert START < at <= START + 10


async def test_a_good_scrape_is_reported() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes("a 1\nb 1\n")
        await scraping.tick()
        assert scraping.stored.report() == {
            "up": 1.0,
            "scrape_samples_scraped": 2.0,
            "scrape_samples_post_metric_relabeling": 2.0,
            "scrape_series_added": 2.0,
        }
        await scraping.tick()
        assert scraping.stored.report()["scrape_series_added"] == 0.0


async def test_targets_are_described_as_the_api_shows_them() -> None:
    config = "metrics_path: /m\nparams: {q: [x y]}\nscrape_timeout: 2s"
    async with exposer() as target, rig(job(target.address, config)) as scraping:
        [before] = scraping.manager.targets()
        assert (before.health, before.last_scrape, before.last_error) == ("unknown", 0.0, "")
        await scraping.tick()
        [after] = scraping.manager.targets()
        assert after.health == "up"
        assert after.scrape_url == f"http://{target.address}/m?q=x+y"
        assert dict(after.labels) == {"instance": target.address, "job": "job"}
        assert after.discovered_labels["__metrics_path__"] == "/m"
        assert after.discovered_labels["__param_q"] == "x y"
        assert (after.scrape_interval, after.scrape_timeout) == ("10s", "2s")
        assert after.scrape_pool == "job"
        assert target.requests[0].path_qs == "/m?q=x+y"


async def test_the_request_says_what_prometheus_would_say() -> None:
    async with exposer() as target, rig(job(target.address, "scrape_timeout: 3s")) as scraping:
        await scraping.tick()
        headers = target.requests[0].headers
        assert headers["Accept"].startswith("application/openmetrics-text;version=1.0.0;q=")
        assert "text/plain;version=0.0.4;q=" in headers["Accept"]
        assert headers["Accept-Encoding"] == "gzip"
        assert headers["X-Prometheus-Scrape-Timeout-Seconds"] == "3"
        assert headers["User-Agent"] == f"Pynomaly/{__version__}"


async def test_configured_protocols_and_compression_change_the_request() -> None:
    config = "scrape_protocols: [PrometheusText0.0.4]\nenable_compression: false"
    async with exposer() as target, rig(job(target.address, config)) as scraping:
        await scraping.tick()
        headers = target.requests[0].headers
        assert headers["Accept"] == "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
        assert headers["Accept-Encoding"] == "identity"


async def test_compressed_bodies_are_read() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = lambda _: web.Response(
            body=gzip.compress(b"a 5\n"), headers={"Content-Encoding": "gzip"}
        )
        await scraping.tick()
        assert scraping.stored.rows() == {of(target.address, "a"): 5.0}


async def test_a_series_that_vanishes_is_marked_as_ended_once() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        a, b = of(target.address, "a"), of(target.address, "b")
        target.answer = exposes("a 1\nb 1\n")
        await scraping.tick()
        target.answer = exposes("a 2\n")
        await scraping.tick()
        assert scraping.stored.rows() == {a: 2.0, b: "stale"}
        await scraping.tick()
        assert scraping.stored.rows() == {a: 2.0}
        target.answer = exposes("a 2\nb 3\n")
        await scraping.tick()
        assert scraping.stored.rows() == {a: 2.0, b: 3.0}
        assert scraping.stored.report()["scrape_series_added"] == 1.0


async def test_a_failed_scrape_ends_all_series_and_reports_down() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        await scraping.tick()
        target.answer = fails(503)
        await scraping.tick()
        assert scraping.stored.rows() == {of(target.address, "a"): "stale"}
        assert scraping.stored.report() == {
            "up": 0.0,
            "scrape_samples_scraped": 0.0,
            "scrape_samples_post_metric_relabeling": 0.0,
            "scrape_series_added": 0.0,
        }
        [status] = scraping.manager.targets()
        assert status.health == "down"
        assert status.last_error == "server returned HTTP status 503 Service Unavailable"
        target.answer = exposes("a 1\n")
        await scraping.tick()
        assert scraping.stored.rows() == {of(target.address, "a"): 1.0}
        assert scraping.stored.report()["up"] == 1.0
        assert scraping.manager.targets()[0].last_error == ""


async def test_a_malformed_body_fails_as_a_whole_and_names_its_line() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes("a 1\nb two\n")
        await scraping.tick()
        assert scraping.stored.rows() == {}
        [status] = scraping.manager.targets()
        assert status.last_error == "line 2: expected a float as value, found 'two'"


async def test_nobody_listening_is_said() -> None:
    async with exposer() as target:
        address = target.address
    async with rig(job(address)) as scraping:
        await scraping.tick()
        [status] = scraping.manager.targets()
        assert status.health == "down"
        assert "Cannot connect" in status.last_error


async def test_a_target_that_answers_too_late_is_given_up() -> None:
    never = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    config = job("", "scrape_timeout: 50ms")
    async with exposer() as target:
        target.answer = hang
        async with rig(config.replace("''", f"'{target.address}'")) as scraping:
            await scraping.tick()
            assert scraping.manager.targets()[0].last_error == "no complete answer within 50ms"
            never.set()


async def test_an_answer_that_breaks_off_fails() -> None:
    async def breaks(request: web.Request) -> web.Response:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"a 1\n")
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = breaks
        await scraping.tick()
        assert scraping.manager.targets()[0].health == "down"
        assert scraping.stored.rows() == {}


async def test_a_body_is_cut_off_at_its_limit_even_when_it_is_small_compressed() -> None:
    async with (
        exposer() as target,
        rig(job(target.address, "body_size_limit: 64KB")) as scraping,
    ):
        bomb = gzip.compress(b"# " + b"x" * 10_000_000 + b"\n")
        assert len(bomb) < 64 * 1024
        target.answer = lambda _: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
        await scraping.tick()
        assert "limit of 65536 bytes" in scraping.manager.targets()[0].last_error


@pytest.mark.parametrize(
    ("limit", "body", "said"),
    [
        ("sample_limit: 1", "a 1\nb 1\n", "sample limit exceeded: 2 samples"),
        ("label_limit: 3", 'a{x="1"} 1\n', "label_limit exceeded (metric: a, number of labels: 4"),
        ("label_name_length_limit: 8", 'a{xxxxxxxxx="1"} 1\n', "label_name_length_limit exceeded"),
        ("label_value_length_limit: 30", f'a{{x="{"y" * 31}"}} 1\n', "label_value_length_limit"),
    ],
)
async def test_a_limit_fails_the_scrape(limit: str, body: str, said: str) -> None:
    async with exposer() as target, rig(job(target.address, limit)) as scraping:
        target.answer = exposes(body)
        await scraping.tick()
        assert said in scraping.manager.targets()[0].last_error
        assert scraping.stored.rows() == {}
        assert scraping.stored.report()["up"] == 0.0
        assert scraping.stored.report()["scrape_samples_scraped"] == body.count("\n")


async def test_samples_that_relabelling_drops_do_not_count_against_the_limit() -> None:
    config = (
        "sample_limit: 1\n"
        "metric_relabel_configs:\n"
        "  - {source_labels: [__name__], regex: b, action: drop}\n"
    )
    async with exposer() as target, rig(job(target.address, config)) as scraping:
        target.answer = exposes("a 1\nb 1\n")
        for _ in range(2):
            await scraping.tick()
            assert scraping.stored.rows() == {of(target.address, "a"): 1.0}
            assert scraping.stored.report()["scrape_samples_scraped"] == 2.0
            assert scraping.stored.report()["scrape_samples_post_metric_relabeling"] == 1.0


async def test_exposed_labels_that_conflict_are_renamed() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes('a{job="x",exported_job="y"} 1\n')
        await scraping.tick()
        assert list(scraping.stored.rows()) == [
            f'a{{exported_exported_job="x", exported_job="y", instance="{target.address}", '
            'job="job"}'
        ]


async def test_exposed_labels_win_when_they_are_honoured() -> None:
    async with (
        exposer() as target,
        rig(job(target.address, "honor_labels: true")) as scraping,
    ):
        target.answer = exposes('a{job="x"} 1\nb{instance=""} 1\n')
        await scraping.tick()
        assert list(scraping.stored.rows()) == [
            f'a{{instance="{target.address}", job="x"}}',
            'b{job="job"}',
        ]


async def test_exposed_timestamps_are_kept_and_their_series_never_end() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes("a 1 1699999999000\n")
        await scraping.tick()
        series = of(target.address, "a")
        assert scraping.stored.times()[series] == 1_699_999_999_000
        target.answer = exposes("b 1\n")
        await scraping.tick()
        assert series not in scraping.stored.rows()


async def test_exposed_timestamps_are_ignored_when_they_are_not_honoured() -> None:
    async with (
        exposer() as target,
        rig(job(target.address, "honor_timestamps: false")) as scraping,
    ):
        target.answer = exposes("a 1 1699999999000\n")
        await scraping.tick()
        at = scraping.manager.targets()[0].last_scrape
        assert scraping.stored.times()[of(target.address, "a")] == round(at * 1000)


async def test_of_a_series_exposed_twice_the_first_sample_counts() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes('a{x="1",y="2"} 1\na{y="2",x="1"} 2\n')
        for _ in range(2):
            await scraping.tick()
            assert scraping.stored.rows() == {of(target.address, 'a{x="1", y="2"}'): 1.0}
            assert scraping.stored.report()["scrape_samples_post_metric_relabeling"] == 2.0


async def test_openmetrics_is_read_by_its_content_type() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        body = '# TYPE a counter\na_total 3 # {id="x"} 1\na_created 1.5\n# EOF\n'
        target.answer = exposes(body, OPENMETRICS)
        await scraping.tick()
        assert scraping.stored.rows() == {
            of(target.address, "a_total"): 3.0,
            of(target.address, "a_created"): 1.5,
        }


@pytest.mark.parametrize(("mode", "health"), [("specification", "down"), ("prometheus", "up")])
async def test_openmetrics_is_held_to_its_specification_unless_told_otherwise(
    mode: str, health: str
) -> None:
    async with exposer() as target, rig(job(target.address), openmetrics=mode) as scraping:
        target.answer = exposes("# TYPE a counter\na_total -1\n# EOF\n", OPENMETRICS)
        await scraping.tick()
        assert scraping.manager.targets()[0].health == health


async def test_what_a_scrape_says_of_its_metrics_is_stored_when_it_is_new() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes("# HELP a Some a.\n# TYPE a counter\na 1\n")
        await scraping.tick()
        await scraping.tick()
        said = [(m.name, m.type, m.help) for m in scraping.stored.metadata]
        assert said.count(("a", "counter", "Some a.")) == 1
        assert [name for name, _, _ in said].count("up") == 1


@pytest.mark.parametrize("error", [EngineBusy("too many parts"), DiskFull("no space left")])
async def test_what_the_store_refuses_is_tried_again_at_the_next_interval(
    error: Exception,
) -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes("a 1\nb 1\n")
        await scraping.tick()
        scraping.stored.error = error
        target.answer = exposes("a 1\n")
        await scraping.tick()
        [status] = scraping.manager.targets()
        assert status.last_error == f"the samples were not stored: {error}"
        scraping.stored.error = None
        await scraping.tick()
        assert scraping.stored.rows() == {
            of(target.address, "a"): 1.0,
            of(target.address, "b"): "stale",  # still owed from the scrape that was not stored
        }
        assert scraping.manager.targets()[0].last_error == ""


async def test_a_large_body_is_read_in_a_worker_thread_and_gives_the_same() -> None:
    lines = "".join(f'a{{i="{i}"}} {i}\n' for i in range(2000))
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes(lines)
        for _ in range(2):
            await scraping.tick()
            rows = scraping.stored.rows()
            assert len(rows) == 2000
            assert rows[of(target.address, 'a{i="1999"}')] == 1999.0


async def test_the_next_scrape_waits_for_a_store_that_is_slow() -> None:
    released = asyncio.Event()
    async with exposer() as target, rig(job(target.address)) as scraping:
        store = scraping.stored.append

        async def slow(batch: SampleBatch) -> Appended:
            await released.wait()
            return await store(batch)

        scraping.stored.append = slow  # type: ignore[method-assign]
        await scraping.clock.advance(10)
        await scraping.clock.advance(10)
        assert scraping.stored.batches == []
        released.set()
        await until(lambda: len(scraping.stored.batches) == 1)
        await scraping.tick()
        assert len(target.requests) == 2
