"""What a decoded request holds: a batch of samples, and what of it was refused."""

from collections import Counter
from dataclasses import dataclass, field

from pynomaly.model.errors import BadInput
from pynomaly.model.samples import SampleBatch

NATIVE_HISTOGRAM = "native histograms are not supported"
INVALID_LABELS = "invalid labels"
INVALID_REFERENCE = "label reference outside of the symbol table"
NO_SAMPLES = "a time series without samples"

_SHOWN_FAULTS = 10
_TYPES = (
    "unknown",
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
)


def metric_type(number: int) -> str:
    """Prometheus's word for the type that both versions of the protocol number alike."""
    return _TYPES[number] if 0 <= number < len(_TYPES) else "unknown"


class Malformed(BadInput):
    """A body that is not what its headers say; nothing of it was stored."""


@dataclass(slots=True)
class Refused:
    """Samples that were left out: how many by reason, and the first few faults in full."""

    samples: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, reason: str, count: int, fault: str = "") -> None:
        """Count ``count`` samples as refused; ``fault`` says which series and why."""
        self.samples[reason] += count
        if len(self.faults) < _SHOWN_FAULTS:
            self.faults.append(fault or reason)

    def __bool__(self) -> bool:
        return bool(self.faults)


@dataclass(slots=True)
class Decoded:
    """A request: what to store, and what is refused."""

    batch: SampleBatch
    refused: Refused
