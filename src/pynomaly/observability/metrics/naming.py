"""What Prometheus asks of a metric's name, checked where the metric is defined.

Source: prometheus.io/docs/practices/naming, the OpenMetrics specification's reserved suffixes,
and what ``promtool check metrics`` warns about.
"""

import re
from collections.abc import Iterable, Sequence

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED_SUFFIXES = ("_count", "_sum", "_bucket", "_created", "_info")
_TYPES = ("counter", "gauge", "histogram", "summary")

# What a name ends in (before ``_total``) -> the base unit that it should be in.
_UNITS = {
    **dict.fromkeys(("ms", "millis", "milliseconds", "us", "micros", "microseconds"), "seconds"),
    **dict.fromkeys(("ns", "nanos", "nanoseconds", "sec", "secs", "minutes", "hours"), "seconds"),
    **dict.fromkeys(("days", "weeks"), "seconds"),
    **dict.fromkeys(("kb", "mb", "gb", "kilobytes", "megabytes", "gigabytes", "bits"), "bytes"),
    **dict.fromkeys(("percent", "percentage", "pct"), "ratio"),
    **dict.fromkeys(("fahrenheit", "kelvin"), "celsius"),
}


class MetricNameError(ValueError):
    """A metric's name, labels or help break Prometheus's conventions; says what to write."""

    def __init__(self, name: str, problems: Sequence[str]) -> None:
        self.name = name
        self.problems = tuple(problems)
        super().__init__(
            f"metric {name!r}: {'; '.join(problems)}. Rename it, or give the reason for keeping "
            "the name as kept_because='…'."
        )


def problems_of(kind: str, name: str, help_text: str, labels: Iterable[str]) -> list[str]:
    """What is wrong with a metric of this kind (``counter``, ``gauge``, …), in words."""
    found = _problems_of_characters(name) + _problems_of_ending(kind, name)
    found += _problems_of_unit(name) + _problems_of_labels(labels)
    if not help_text.strip():
        found.append("say in its help what it measures, in one sentence")
    return found


def _problems_of_characters(name: str) -> list[str]:
    found = []
    if not _NAME.fullmatch(name):
        found.append("write it in lower snake_case (colons are for recording rules)")
    parts = name.split("_")
    found += [f"leave its type, {part!r}, out of the name" for part in _TYPES if part in parts]
    if "_by_" in name:
        found.append("name the '_by_' part as a label instead")
    return found


def _problems_of_ending(kind: str, name: str) -> list[str]:
    found = []
    if kind == "counter" and not name.endswith("_total"):
        found.append("a counter ends in '_total'")
    if kind != "counter" and name.endswith("_total"):
        found.append(f"only counters end in '_total', and this is a {kind}")
    ending = next((s for s in _RESERVED_SUFFIXES if name.endswith(s)), None)
    if ending:
        found.append(f"the suffix {ending!r} is reserved")
    return found


def _problems_of_unit(name: str) -> list[str]:
    last = name.removesuffix("_total").rsplit("_", 1)[-1]
    base = _UNITS.get(last)
    return [f"measure in {base}, not in {last}"] if base and "_" in name else []


def _problems_of_labels(labels: Iterable[str]) -> list[str]:
    found = []
    for label in labels:
        if label in ("le", "quantile"):
            found.append(f"the label {label!r} is reserved")
        elif not _LABEL.fullmatch(label):
            found.append(f"write the label {label!r} in lower snake_case, not starting with '_'")
    return found
