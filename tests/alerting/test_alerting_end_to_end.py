"""From a sample to a notification: stored samples, PromQL, the shipped rules, a webhook."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from alerting_receiver import Receiver, receiver
from alerting_story import Inline as InlineCommits

from pynomaly.alerting.alertmanager.defaults import ChannelSettings, default_config
from pynomaly.alerting.config import AlertingSettings
from pynomaly.model.clock import FakeClock
from pynomaly.model.labels import Labels
from pynomaly.model.samples import SampleBatch
from pynomaly.promql.local import LocalQuerier
from pynomaly.rules.config import RuleGroup, load_rules
from pynomaly.rules.defaults import default_groups
from pynomaly.rules.manager import RuleManager
from pynomaly.server.alerting import Alerting
from pynomaly.storage.bus import Bus
from pynomaly.storage.records import Records, RecordsSettings
from pynomaly.storage.samples.memory import MemorySamples
from pynomaly.storage.scheduler import Scheduler

SCRAPE_INTERVAL = 15.0


class Inline(Executor):
    """Runs where it is called, so that a fake clock need not wait for threads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - handed on
            done.set_exception(error)
        return done


class Product:
    """The parts of the product on a fake clock; ``stop`` and a new one are a restart."""

    def __init__(
        self, hook: Receiver, clock: FakeClock, samples: MemorySamples, records: Records
    ) -> None:
        self.clock, self.samples, self.hook = clock, samples, hook
        self.targets = {"a:9100": 1.0}
        self.bus = Bus(clock)
        self.scheduler = Scheduler(clock)
        querier = LocalQuerier(samples, Inline())
        self.rules = RuleManager(querier, samples, self.bus, clock, self.scheduler)
        self.alerting = Alerting(
            records,
            self.rules,
            clock,
            self.bus,
            external_url="http://here",
            retention=5 * 86_400.0,
            rate_limits={},
            commits=InlineCommits(records),
        )

    async def start(self, groups: list[RuleGroup]) -> "Product":
        self.scheduler.every("scrape", SCRAPE_INTERVAL, self.scrape)
        self.scheduler.every("self", 5.0, self.observe_itself)
        await self.rules.apply(groups)
        settings = AlertingSettings.model_validate({"webhook": {"url": self.hook.url}})
        await self.alerting.start(default_config(ChannelSettings(), settings))
        self.scheduler.every("notify", 5.0, self.alerting.maintain)
        return self

    async def stop(self) -> None:
        await self.rules.close()
        await self.scheduler.close()
        await self.alerting.close()

    async def scrape(self, due: float) -> None:
        for instance, up in self.targets.items():
            labels = Labels({"__name__": "up", "job": "api", "instance": instance})
            await self.samples.append(SampleBatch.of([(labels, round(due * 1000), up)]))

    async def observe_itself(self, due: float) -> None:
        labels = Labels({"__name__": "up", "job": "pynomaly", "instance": "here"})
        await self.samples.append(SampleBatch.of([(labels, round(due * 1000), 1.0)]))

    async def pass_by(self, seconds: float) -> None:
        """Let time pass, with room for the sockets, which do not live by the fake clock."""
        for _ in range(round(seconds)):
            await self.clock.advance(1)
            await asyncio.sleep(0)

    async def told(self, count: int) -> list[tuple[str, str]]:
        await self.hook.until(count)
        return [(p["commonLabels"]["alertname"], p["status"]) for p in self.hook.taken]


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    records = Records.open(RecordsSettings(), tmp_path)
    yield records
    records.close()


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as found:
        yield found


def without_watchdog() -> list[RuleGroup]:
    return [group for group in default_groups() if group.name != "watchdog"]


async def test_a_stopped_target_is_told_within_two_intervals_and_its_return_as_well(
    hook: Receiver, records: Records
) -> None:
    product = Product(hook, FakeClock(), MemorySamples(), records)
    await product.start(without_watchdog())
    await product.pass_by(120)
    assert product.rules.alerts() == [] and hook.taken == []

    product.targets["a:9100"] = 0.0
    await product.pass_by(2 * SCRAPE_INTERVAL)
    assert [str(a.labels) for a in product.rules.alerts()] == [
        '{alertname="TargetDown", instance="a:9100", job="api", severity="critical"}'
    ]
    assert await product.told(1) == [("TargetDown", "firing")]
    assert hook.taken[0]["commonAnnotations"]["summary"] == "api at a:9100 is down"

    product.targets["a:9100"] = 1.0
    await product.pass_by(2 * SCRAPE_INTERVAL)
    assert product.rules.alerts() == []
    assert (await product.told(2))[1:] == [("TargetDown", "resolved")]
    await product.pass_by(60)
    assert len(hook.taken) == 2
    await product.stop()


async def test_ingestion_that_stops_is_told_and_the_watchdog_always(
    hook: Receiver, records: Records
) -> None:
    product = Product(hook, FakeClock(), MemorySamples(), records)
    await product.start(default_groups())
    await product.pass_by(130)
    assert await product.told(1) == [("Watchdog", "firing")]
    await product.scheduler.cancel("self")
    await product.pass_by(30 + 60 + 30)
    assert await product.told(2) == [("Watchdog", "firing"), ("IngestionStopped", "firing")]
    await product.pass_by(600)  # its series are gone by now, and it is the same alert
    assert {a.name for a in product.rules.alerts()} == {"Watchdog", "IngestionStopped"}
    product.scheduler.every("self", 5.0, product.observe_itself)
    await product.pass_by(30)
    assert (await product.told(3))[2:] == [("IngestionStopped", "resolved")]
    await product.stop()


PENDING = """
groups:
  - name: slow
    interval: 10s
    rules:
      - {alert: Slow, expr: up == 0, for: 5m}
      - {alert: Fast, expr: up == 0}
"""


@pytest.mark.parametrize("away", [20.0, 900.0])
async def test_a_restart_keeps_pending_and_firing_and_tells_nobody_twice(
    hook: Receiver, records: Records, away: float
) -> None:
    clock, samples = FakeClock(), MemorySamples()
    groups = load_rules(PENDING, "r.yml")
    first = await Product(hook, clock, samples, records).start(groups)
    first.targets["a:9100"] = 0.0
    await first.pass_by(200)
    states = {a.name: (a.state.value, a.active_at) for a in first.rules.alerts()}
    assert {name: state for name, (state, _) in states.items()} == {
        "Slow": "pending",
        "Fast": "firing",
    }
    await first.told(1)
    await first.stop()

    await clock.advance(away)
    second = await Product(hook, clock, samples, records).start(groups)
    second.targets["a:9100"] = 0.0
    await second.pass_by(30)
    kept = {a.name: (a.state.value, a.active_at) for a in second.rules.alerts()}
    assert kept["Fast"] == states["Fast"]
    # The time away does not count, so what was left of the 5 minutes is left.
    assert kept["Slow"][0] == "pending"
    assert kept["Slow"][1] - states["Slow"][1] == pytest.approx(away, abs=25)
    assert len(hook.taken) == 1
    await second.pass_by(120)
    assert await second.told(2) == [("Fast", "firing"), ("Slow", "firing")]
    await second.stop()


async def test_what_was_resolved_while_the_process_was_away_is_told_after_a_restart(
    hook: Receiver, records: Records
) -> None:
    clock, samples = FakeClock(), MemorySamples()
    groups = without_watchdog()
    first = await Product(hook, clock, samples, records).start(groups)
    first.targets["a:9100"] = 0.0
    await first.pass_by(60)
    await first.told(1)
    await first.stop()
    await clock.advance(600)
    second = await Product(hook, clock, samples, records).start(groups)
    await second.pass_by(120)
    assert (await second.told(2))[1:] == [("TargetDown", "resolved")]
    await second.stop()


async def test_an_alert_that_ended_before_the_restart_is_not_brought_back(
    hook: Receiver, records: Records
) -> None:
    clock, samples = FakeClock(), MemorySamples()
    groups = load_rules(PENDING, "r.yml")
    first = await Product(hook, clock, samples, records).start(groups)
    first.targets["a:9100"] = 0.0
    await first.pass_by(60)
    first.targets["a:9100"] = 1.0
    await first.pass_by(60)
    await first.told(2)
    await first.stop()
    await clock.advance(30)
    second = await Product(hook, clock, samples, records).start(groups)
    await second.pass_by(30)
    assert second.rules.alerts() == []
    assert len(hook.taken) == 2
    await second.stop()
