"""How every part is, asked when somebody wants to know."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pynomaly.api.health import ComponentHealth, ComponentStatus
from pynomaly.storage.scheduler import Job

Check = Callable[[], ComponentHealth]

ACTIVE = ComponentHealth(ComponentStatus.ACTIVE)


class HealthBoard:
    """Collects a check from every part as it is built."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._ready = False

    def add(self, component: str, check: Check) -> None:
        """Ask ``check`` about ``component`` from now on."""
        self._checks[component] = check

    def disable(self, component: str, reason: str) -> None:
        """Say that a part is not in use, and why."""
        health = ComponentHealth(ComponentStatus.DISABLED, reason)
        self._checks[component] = lambda: health

    def set_ready(self, ready: bool) -> None:
        """Whether queries are answered and samples taken in."""
        self._ready = ready

    def ready(self) -> bool:
        """Whether queries are answered and samples taken in."""
        return self._ready

    def reason(self, component: str) -> str:
        """Why a part is not well; empty if it is, or is not known."""
        check = self._checks.get(component)
        return check().reason if check is not None else ""

    def components(self) -> Mapping[str, ComponentHealth]:
        """Every part, as it is now."""
        return {name: check() for name, check in sorted(self._checks.items())}


def of_job(job: Job) -> Check:
    """Periodic work is degraded from a failed run until the next that succeeds."""

    def check() -> ComponentHealth:
        if job.last_error:
            return ComponentHealth(ComponentStatus.DEGRADED, job.last_error)
        return ACTIVE

    return check


class Failing(Protocol):
    """Something that knows whether its last attempt went wrong."""

    @property
    def last_error(self) -> str:
        """Why the last attempt failed; empty when it went well."""
        ...


def of_attempts(noun: str, attempts: Callable[[], Sequence[Failing]]) -> Check:
    """Degraded while the last attempt of any of several failed; says how many, and one reason."""

    def check() -> ComponentHealth:
        every = attempts()
        errors = [a.last_error for a in every if a.last_error]
        if not errors:
            return ACTIVE
        reason = f"{len(errors)} of {len(every)} {noun} fail; one of them: {errors[0]}"
        return ComponentHealth(ComponentStatus.DEGRADED, reason)

    return check


def of_scraping(targets: Callable[[], Sequence[Failing]]) -> Check:
    """Not in use without a target; that single targets fail is theirs, that all do is ours."""

    def check() -> ComponentHealth:
        every = targets()
        if not every:
            return ComponentHealth(ComponentStatus.DISABLED, "no prometheus.yml names a target")
        if all(target.last_error for target in every):
            reason = f"none of {len(every)} targets can be scraped; {every[0].last_error}"
            return ComponentHealth(ComponentStatus.DEGRADED, reason)
        return ACTIVE

    return check


def of_trouble(trouble: Callable[[], str | None]) -> Check:
    """Degraded while a part says what its trouble is."""

    def check() -> ComponentHealth:
        reason = trouble()
        return ComponentHealth(ComponentStatus.DEGRADED, reason) if reason else ACTIVE

    return check
