"""What holds whatever happens: no first page is hidden, and no end that somebody waits for."""

import random
from pathlib import Path

import pytest

from pynomaly.alerting.noise.config import NoiseSettings
from pynomaly.alerting.suppression.rule import read_rule
from tests.alerting.alerting_story import Story

CONFIG = """
global: {resolve_timeout: 48h}
route: {receiver: team, group_by: [team], group_wait: 1s, group_interval: 30s, repeat_interval: 20m}
receivers: [{name: team, webhook_configs: [{url: 'http://x/'}]}]
"""
HOUR = 3600.0
RULES = [
    {"name": "same", "time_window": 300, "max_alerts_in_window": 1},
    {"name": "few", "time_window": 900, "max_alerts_in_window": 2},
]


def stream(chance: random.Random, number: int) -> list[tuple[float, bool]]:
    """When an alert begins (True) and ends; each part is long enough to be looked at."""
    at, found = chance.uniform(0, 600), []
    for _ in range(chance.randint(1, 9)):
        found.append((at, True))
        at += chance.choice([40, 70, 150, 700])
        found.append((at, False))
        at += chance.choice([40, 70, 150, 700])
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_first_pages_and_ends_are_told_over_flapping_rules_and_restarts(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    rules = [read_rule(rule) for rule in chance.sample(RULES, chance.randint(0, 2))]
    async with Story(CONFIG, tmp_path, noise=NoiseSettings(rules)) as story:
        changes = sorted(
            (at, f"a{number}", fires) for number in range(6) for at, fires in stream(chance, number)
        )
        began: dict[str, float] = {}
        first = {name: at for at, name, _ in reversed(changes)}
        crash_at = chance.uniform(600, 2_500)
        for at, name, fires in changes:
            if crash_at < at:
                await story.until(crash_at, step=2.0)
                await story.manager.maintain()
                await story.crash()
                crash_at = float("inf")
            await story.until(at, step=2.0)
            began[name] = at if fires else began[name]
            team = f"t{int(name[1:]) % 2}"
            await story.push(story.alert(began[name], None if fires else at, i=name, team=team))
        await story.until(story.now + 2 * HOUR, step=10.0)
        for name, at in first.items():
            told = [t.at for t in story.told if name in t.alerts]
            assert at <= told[0] <= at + 31, f"{name} began at {at}"
            states = [name in t.alerts for t in story.told if {name, f"{name}!"} & {*t.alerts}]
            assert states[-1] is False, f"nobody was told that {name} ended"
