"""What all protocols share in which others send to us: limits, counts, what became of samples."""

from collections import Counter as Tally
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from prometheus_client import Counter, Histogram
from pydantic import Field

from pynomaly.model.clock import Clock, now_ms
from pynomaly.model.document import Section
from pynomaly.model.errors import PynomalyError
from pynomaly.model.samples import SampleBatch
from pynomaly.observability import REGISTRY
from pynomaly.storage.samples.contract import Appender

AHEAD_SECONDS = 5.0
"""Clocks that are kept by NTP differ by milliseconds; a second or two is nobody's trouble."""

REQUESTS = Counter(
    "pynomaly_push_requests",
    "Requests that pushed samples, by protocol and HTTP status.",
    ["protocol", "status"],
    registry=REGISTRY,
)
SAMPLES = Counter(
    "pynomaly_push_samples",
    "Samples that were pushed and stored.",
    ["protocol"],
    registry=REGISTRY,
)
REFUSED_SAMPLES = Counter(
    "pynomaly_push_refused_samples",
    "Samples that were pushed and refused; the sender was told the reason.",
    ["protocol", "reason"],
    registry=REGISTRY,
)
SAMPLE_AGE = Histogram(
    "pynomaly_push_sample_age_seconds",
    "How old the newest sample of a request was when it arrived: how far its sender lags behind.",
    ["protocol"],
    buckets=(1, 5, 15, 30, 60, 120, 300, 900, 3600, 86_400),
    registry=REGISTRY,
)
AHEAD = Counter(
    "pynomaly_push_ahead_requests",
    f"Requests with samples more than {AHEAD_SECONDS:g} s ahead of the server's clock: the "
    "sender's clock is wrong, or the server's.",
    ["protocol"],
    registry=REGISTRY,
)


class PushLimits(Section):
    """How much one who pushes may ask of the server."""

    max_body_bytes: int = Field(
        default=16 << 20, gt=0, description="The largest body as it comes over the network."
    )
    max_unpacked_bytes: int = Field(
        default=64 << 20, gt=0, description="The largest body after it was unpacked."
    )
    max_bytes_in_flight: int = Field(
        default=128 << 20,
        gt=0,
        description="Bodies held at once, unpacked; beyond that the answer is 429.",
    )
    max_remembered_series: int = Field(
        default=500_000,
        gt=0,
        description="Series whose labels need no second look in remote write; some 400 bytes each.",
    )


class TooLarge(PynomalyError):
    """A body beyond a limit; nothing of it was stored."""

    status = 413
    kind = "bad_data"


class Overloaded(PynomalyError):
    """More is in flight than memory allows; the same request may succeed later."""

    status = 429
    kind = "too_many_requests"


class Unsupported(PynomalyError):
    """A Content-Type or Content-Encoding that this door does not take."""

    status = 415
    kind = "bad_data"


@dataclass(frozen=True, slots=True)
class PushDeps:
    """What every door needs: where samples go, the time, the limits, threads for decoding."""

    appender: Appender
    clock: Clock
    limits: PushLimits
    executor: Executor | None = None


@dataclass(slots=True)
class Outcome:
    """What became of the samples of a request; ``refused`` maps a reason to their number."""

    stored: int = 0
    refused: Tally[str] = field(default_factory=Tally)
    faults: list[str] = field(default_factory=list)
    lead: float | None = None
    """Seconds by which the newest sample is ahead of the server's clock; below 0: its age."""
    exemplars: int = 0
    """How many exemplars are stored, by this request or by one before."""
    refused_exemplars: Tally[str] = field(default_factory=Tally)

    def add_refused(self, refused: Mapping[str, int]) -> None:
        """Add what a store or a check refused."""
        self.refused.update(refused)
        self.faults.extend(reason for reason in refused if reason not in self.faults)

    def count(self, protocol: str) -> None:
        """Add it to the metrics."""
        SAMPLES.labels(protocol).inc(self.stored)
        for reason, count in self.refused.items():
            REFUSED_SAMPLES.labels(protocol, reason).inc(count)
        if self.lead is not None:
            SAMPLE_AGE.labels(protocol).observe(max(0.0, -self.lead))
            AHEAD.labels(protocol).inc(self.lead > AHEAD_SECONDS)

    def message(self) -> str:
        """For the sender, when something was refused."""
        total = self.refused.total()
        why = ", ".join(f"{reason} ({count})" for reason, count in self.refused.items() if count)
        shown = "; ".join(fault for fault in self.faults if fault not in self.refused)
        head = f"{total} {'sample' if total == 1 else 'samples'} refused, {self.stored} stored"
        return ": ".join(part for part in (head, why, shown) if part)


async def store(batch: SampleBatch, deps: PushDeps, outcome: Outcome) -> None:
    """Append, and note what became of it.

    Raises:
        EngineBusy, DiskFull: nothing was stored.
    """
    if not len(batch) and not batch.metadata and not batch.exemplars:
        return
    if len(batch):
        lead = (int(batch.ts.max()) - now_ms(deps.clock)) / 1000
        outcome.lead = lead if outcome.lead is None else max(outcome.lead, lead)
    appended = await deps.appender.append(batch)
    outcome.stored += appended.stored
    outcome.add_refused(appended.refused)
    outcome.exemplars += appended.exemplars
    outcome.refused_exemplars.update(appended.refused_exemplars)
