"""What the health board says of parts that are well, failing and not in use."""

from dataclasses import dataclass

import pytest

from pynomaly.api.health import ComponentHealth, ComponentStatus, overall
from pynomaly.model.clock import FakeClock
from pynomaly.server.health import HealthBoard, of_attempts, of_job, of_scraping, of_trouble
from pynomaly.storage.scheduler import Scheduler


@dataclass
class Attempt:
    last_error: str = ""


def test_attempts_are_degraded_while_one_of_them_fails_and_say_which() -> None:
    rules = [Attempt(), Attempt("no such function")]
    check = of_attempts("rules", lambda: rules)

    assert check() == ComponentHealth(
        ComponentStatus.DEGRADED, "1 of 2 rules fail; one of them: no such function"
    )
    rules[1].last_error = ""
    assert check().status is ComponentStatus.ACTIVE


def test_scraping_without_targets_is_not_in_use() -> None:
    assert of_scraping(list)().status is ComponentStatus.DISABLED


def test_scraping_is_degraded_only_when_no_target_answers() -> None:
    targets = [Attempt("connection refused"), Attempt()]
    check = of_scraping(lambda: targets)

    assert check().status is ComponentStatus.ACTIVE
    targets[1].last_error = "timed out"
    assert check().status is ComponentStatus.DEGRADED
    assert "none of 2 targets" in check().reason


@pytest.mark.parametrize(
    ("trouble", "status"),
    [(None, ComponentStatus.ACTIVE), ("the disk is full", ComponentStatus.DEGRADED)],
)
def test_trouble_degrades_and_is_the_reason(trouble: str | None, status: ComponentStatus) -> None:
    assert of_trouble(lambda: trouble)() == ComponentHealth(status, trouble or "")


async def test_a_job_is_degraded_from_a_failed_run_to_the_next_good_one() -> None:
    clock = FakeClock(1000.0)
    scheduler = Scheduler(clock)
    outcomes = [RuntimeError("the database is away"), None]

    async def work(_: float) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    job = scheduler.every("records check", 10.0, work)
    check = of_job(job)
    await clock.advance(10)
    assert check() == ComponentHealth(ComponentStatus.DEGRADED, "the database is away")
    await clock.advance(10)
    assert check().status is ComponentStatus.ACTIVE
    await scheduler.close()


def test_the_board_is_as_well_as_its_worst_part_that_is_in_use() -> None:
    board = HealthBoard()
    board.disable("alerting", "no webhook")
    board.add("storage", of_trouble(lambda: None))
    assert overall(board.components()) == "healthy"
    board.add("rules", of_trouble(lambda: "late"))
    assert overall(board.components()) == "degraded"
