"""What a check found, and what all of them add up to."""

import json
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How something is, from good to bad."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"

    @property
    def value_as_metric(self) -> float:
        """1 for ok, 0.5 for degraded, 0 for failed."""
        return {"ok": 1.0, "degraded": 0.5, "failed": 0.0}[self.value]


class Degraded(Exception):
    """Raised by a check: it works, but not as it should."""


@dataclass(frozen=True)
class Result:
    """What one check found; ``seconds`` is how long it took."""

    status: Status
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """The answer of an endpoint."""

    status: Status
    checks: dict[str, Result] = field(default_factory=dict)

    @property
    def http_status(self) -> int:
        """200 while it can serve, degraded or not; else 503."""
        return 503 if self.status is Status.FAILED else 200

    def to_json(self) -> bytes:
        """``{"status": …, "checks": {name: {"status", "detail", "seconds"}}}``."""
        checks = {
            name: {"status": r.status, "detail": r.detail, "seconds": round(r.seconds, 4)}
            for name, r in self.checks.items()
        }
        return json.dumps({"status": self.status, "checks": checks}).encode()


def result_of(returned: object, seconds: float) -> Result:
    """What a check's return value means: None and True are ok, False failed, a text is a detail."""
    if isinstance(returned, Result):
        return Result(returned.status, returned.detail, returned.seconds or seconds)
    if returned is False:
        return Result(Status.FAILED, "the check returned False", seconds)
    return Result(Status.OK, returned if isinstance(returned, str) else "", seconds)


def result_of_error(error: BaseException, seconds: float) -> Result:
    """What a check's exception means."""
    if isinstance(error, Degraded):
        return Result(Status.DEGRADED, str(error), seconds)
    said = str(error)
    kind = type(error).__name__
    return Result(Status.FAILED, f"{kind}: {said}" if said else kind, seconds)
