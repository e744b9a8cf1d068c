"""Configurations that change, targets that come and go, and shutting down."""

import asyncio
import json
from itertools import pairwise
from pathlib import Path

from aiohttp import web

from pynomaly.ingest.scrape.config import load
from pynomaly.observability import REGISTRY
from pynomaly.storage.scheduler import Scheduler
from tests.ingest.scrape.rig import Rig, exposer, exposes, fails, job, rig, until


def addresses(scraping: Rig) -> set[str]:
    return {t.labels["instance"] for t in scraping.manager.targets()}


def failures(mechanism: str = "file") -> float:
    labels = {"mechanism": mechanism, "outcome": "error"}
    return REGISTRY.get_sample_value("pynomaly_scrape_discoveries_total", labels) or 0.0


async def test_an_unchanged_job_goes_on_untouched_through_a_reload() -> None:
    config = "relabel_configs: [{target_label: x, replacement: y}]"
    async with exposer() as target, rig(job(target.address, config)) as scraping:
        await scraping.tick()
        for _ in range(3):
            await scraping.apply(job(target.address, config) + "  - job_name: other\n")
            await scraping.tick()
            assert len(target.requests) == len(scraping.stored.batches)
            assert scraping.stored.report()["scrape_series_added"] == 0.0
        times = [min(scraping.stored.times(i).values()) for i in range(4)]
        assert {b - a for a, b in pairwise(times)} == {10_000}


async def test_a_reload_waits_for_a_scrape_under_way_and_loses_nothing() -> None:
    let_go, arrived = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        arrived.set()
        await let_go.wait()
        return web.Response(text="a 1\n")

    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = slow
        await scraping.clock.advance(10)
        await arrived.wait()
        reload = asyncio.create_task(
            scraping.apply(job(target.address, "honor_labels: true")),
        )
        await asyncio.sleep(0)
        let_go.set()
        await reload
        assert scraping.stored.report()["up"] == 1.0
        await scraping.tick()
        times = [min(scraping.stored.times(i).values()) for i in range(2)]
        assert times[1] - times[0] == 10_000


async def test_a_changed_job_keeps_its_series_and_ends_only_what_is_gone() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        target.answer = exposes("a 1\nb 1\n")
        await scraping.tick()
        rule = "metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]"
        await scraping.apply(job(target.address, rule))
        assert len(scraping.stored.batches) == 1  # nothing ended by the reload itself
        await scraping.tick()
        values = {k.split("{")[0]: v for k, v in scraping.stored.rows().items()}
        assert values == {"a": 1.0, "b": "stale"}
        assert scraping.stored.report()["scrape_series_added"] == 0.0


async def test_a_job_that_is_removed_ends_its_series_and_its_report() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        await scraping.tick()
        await scraping.apply("scrape_configs: []")
        ended = scraping.stored.everything()
        assert set(ended.values()) == {"stale"}
        assert {series.split("{")[0] for series in ended} == {
            "a",
            "up",
            "scrape_duration_seconds",
            "scrape_samples_scraped",
            "scrape_samples_post_metric_relabeling",
            "scrape_series_added",
        }
        assert min(scraping.stored.times().values()) > max(scraping.stored.times(0).values())
        assert scraping.manager.targets() == []


async def test_a_target_that_was_never_scraped_ends_without_a_word() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        await scraping.apply("scrape_configs: []")
        assert scraping.stored.batches == []


async def test_shutting_down_ends_no_series() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        await scraping.tick()
        await scraping.manager.close()
        assert len(scraping.stored.batches) == 1
        assert scraping.manager.targets() == []


async def test_shutting_down_does_not_wait_for_a_target() -> None:
    never, arrived = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        arrived.set()
        await never.wait()
        return web.Response()

    async with exposer() as target:
        target.answer = hang
        async with rig(job(target.address, "scrape_timeout: 10s")) as scraping:
            await scraping.clock.advance(10)
            await arrived.wait()
            async with asyncio.timeout(5):
                await scraping.manager.close()
        never.set()


async def test_a_target_whose_path_changes_goes_on_as_the_same_series() -> None:
    async with exposer() as target, rig(job(target.address)) as scraping:
        await scraping.tick()
        await scraping.apply(job(target.address, "metrics_path: /other"))
        await scraping.tick()
        assert len(scraping.stored.batches) == 2
        assert "stale" not in scraping.stored.everything().values()
        assert target.requests[-1].path == "/other"


async def test_relabelling_chooses_targets_and_drops_are_remembered() -> None:
    config = (
        "relabel_configs:\n"
        "  - {source_labels: [__address__], regex: 'other.*', action: drop}\n"
        "  - {source_labels: [__address__], target_label: where}\n"
    )
    async with exposer() as target, rig() as scraping:
        text = job(target.address, config).replace("['", "['other:1', '")
        await scraping.apply(text)
        [active] = scraping.manager.targets()
        assert active.labels["where"] == target.address
        [dropped] = scraping.manager.dropped_targets()
        assert dropped.scrape_pool == "job"
        assert dropped.discovered_labels["__address__"] == "other:1"
        assert scraping.manager.dropped_target_counts() == {"job": 1}


async def test_too_many_targets_fail_all_of_them() -> None:
    async with exposer() as target, rig() as scraping:
        text = job(target.address, "target_limit: 1").replace("['", "['localhost:1', '")
        await scraping.apply(text)
        await scraping.tick()
        for status in scraping.manager.targets():
            assert status.health == "down"
            assert status.last_error == ("target_limit exceeded (number of targets: 2, limit: 1)")
        assert target.requests == []


async def test_relabelled_intervals_and_paths_are_used() -> None:
    config = (
        "relabel_configs:\n"
        "  - {target_label: __scrape_interval__, replacement: 5s}\n"
        "  - {target_label: __scrape_timeout__, replacement: 1s}\n"
        "  - {target_label: __metrics_path__, replacement: /probe}\n"
        "  - {target_label: __param_module, replacement: icmp}\n"
    )
    async with exposer() as target, rig(job(target.address, config)) as scraping:
        await scraping.tick(5)
        [status] = scraping.manager.targets()
        assert (status.scrape_interval, status.scrape_timeout) == ("5s", "1s")
        assert target.requests[0].path_qs == "/probe?module=icmp"


async def test_targets_of_files_come_and_go_with_the_files(tmp_path: Path) -> None:
    async with exposer() as one, exposer() as two, rig(file_poll_interval="2s") as scraping:
        targets = tmp_path / "a.json"
        targets.write_text(json.dumps([{"targets": [one.address], "labels": {"x": "1"}}]))
        config = (
            "global: {scrape_interval: 10s}\nscrape_configs:\n"
            "  - job_name: files\n    file_sd_configs: [{files: ['*.json', '*.yml']}]\n"
        )
        await scraping.apply(config, str(tmp_path / "prometheus.yml"))
        [status] = scraping.manager.targets()
        assert status.labels["x"] == "1"
        assert status.discovered_labels["__meta_filepath"] == str(targets)
        await scraping.tick()

        (tmp_path / "b.yml").write_text(f"- targets: ['{two.address}']\n")
        await scraping.passes(lambda: addresses(scraping) == {one.address, two.address}, 2)

        targets.write_text("[{ this is not JSON")
        seen = failures()
        await scraping.passes(lambda: failures() > seen, 2)
        assert addresses(scraping) == {one.address, two.address}  # the last good list

        targets.unlink()
        await scraping.passes(lambda: addresses(scraping) == {two.address}, 2)
        await until(
            lambda: any(
                "stale" in scraping.stored.everything(i).values()
                for i in range(len(scraping.stored.batches))
            )
        )


async def test_targets_of_a_server_are_asked_for_again_and_errors_keep_the_last(
    tmp_path: Path,
) -> None:
    async with exposer() as lister, exposer() as one, rig() as scraping:

        def lists(*found: str) -> None:
            body = json.dumps([{"targets": list(found), "labels": {"__meta_x": "y"}}])
            lister.answer = exposes(body, "application/json; charset=utf-8")

        lists(one.address)
        config = (
            "global: {scrape_interval: 10s}\nscrape_configs:\n  - job_name: http\n"
            f"    http_sd_configs: [{{url: 'http://{lister.address}/sd', refresh_interval: 30s}}]\n"
            "    relabel_configs: [{source_labels: [__meta_x], target_label: x}]\n"
        )
        await scraping.apply(config)
        [status] = scraping.manager.targets()
        assert status.labels["x"] == "y"
        assert status.discovered_labels["__meta_url"] == f"http://{lister.address}/sd"
        headers = lister.requests[0].headers
        assert headers["X-Prometheus-Refresh-Interval-Seconds"] == "30"
        assert headers["Accept"] == "application/json"

        lister.answer = fails(500)
        seen = failures("http")
        await scraping.passes(lambda: failures("http") > seen, 30)
        assert addresses(scraping) == {one.address}

        # A reload while the server fails keeps the targets as well.
        await scraping.apply(config.replace("target_label: x", "target_label: z"))
        assert addresses(scraping) == {one.address}

        lists()
        await scraping.passes(lambda: addresses(scraping) == set(), 30)


async def test_the_scheduler_of_the_product_is_used_when_there_is_one() -> None:
    async with exposer() as target, rig() as scraping:
        scheduler = Scheduler(scraping.clock)
        scraping.manager._scheduler = scheduler
        await scraping.apply(job(target.address))
        assert len(scheduler.jobs) == 1
        await scraping.manager.close()
        assert scheduler.jobs == {}


async def test_targets_are_spread_over_the_interval_and_keep_their_place() -> None:
    listed = ", ".join(f"'host{i}:80'" for i in range(100))
    text = job("x", "").replace("'x'", listed)
    async with rig(text) as first, rig(text) as second:
        offsets = [
            sorted((name, j.offset) for name, j in each.manager._scheduler.jobs.items())
            for each in (first, second)
        ]
        assert offsets[0] == offsets[1]
        assert len({round(offset) for _, offset in offsets[0]}) == 11
        assert load(text, "x")[1] == []
