"""How every part is, asked when somebody wants to know."""

from collections.abc import Callable, Mapping

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
