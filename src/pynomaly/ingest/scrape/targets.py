"""From a discovered label set to a target: what is scraped, where, how often, under what labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import xxhash

from pynomaly.ingest.scrape.config import ScrapeConfig
from pynomaly.ingest.scrape.relabel import relabel
from pynomaly.model.duration import format_duration, parse_duration
from pynomaly.model.labels import Labels, canonical

_ADDRESS = "__address__"
_SCHEME = "__scheme__"
_PATH = "__metrics_path__"
_INTERVAL = "__scrape_interval__"
_TIMEOUT = "__scrape_timeout__"
_PARAMETER = "__param_"


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Label sets that came from one source; a target's own labels win over the group's."""

    source: str
    targets: tuple[Mapping[str, str], ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """What one loop scrapes. Intervals in seconds."""

    scrape_pool: str
    discovered_labels: Labels
    labels: Labels
    scrape_url: str
    interval: float
    timeout: float

    @property
    def key(self) -> tuple[Labels, str]:
        """Two targets of a pool with the same key are the same."""
        return self.labels, self.scrape_url

    def offset(self) -> float:
        """Where in its interval it is scraped: spread by a hash, and so the same every time."""
        seed = canonical(self.labels) + self.scrape_url.encode()
        return float(xxhash.xxh64_intdigest(seed) % round(self.interval * 1000)) / 1000


@dataclass(frozen=True, slots=True)
class Dropped:
    """A target that relabelling dropped."""

    scrape_pool: str
    discovered_labels: Labels


def build(job: ScrapeConfig, group: TargetGroup, target: Mapping[str, str]) -> Target | Dropped:
    """Apply the job's relabelling to a discovered target.

    Raises:
        ValueError: what is left cannot be scraped, and why.
    """
    labels = discovered(job, group, target)
    before = Labels(labels)
    if not relabel(job.relabel_configs, labels):
        return Dropped(job.job_name, before)
    address = labels.get(_ADDRESS, "")
    if not address:
        raise ValueError("no address")
    if "/" in address:
        raise ValueError(f"{address!r} is not a valid hostname")
    interval = _seconds(labels, _INTERVAL)
    timeout = _seconds(labels, _TIMEOUT)
    if timeout > interval:
        raise ValueError(f"scrape timeout {timeout:g}s is greater than the interval {interval:g}s")
    public = {name: value for name, value in labels.items() if not name.startswith("__")}
    public.setdefault("instance", address)
    url = _url(job, labels, address)
    return Target(job.job_name, before, Labels(public), url, interval, timeout)


def discovered(job: ScrapeConfig, group: TargetGroup, target: Mapping[str, str]) -> dict[str, str]:
    """The labels before relabelling: the target's, the group's, and what the job says."""
    defaults = {
        "job": job.job_name,
        _INTERVAL: format_duration(job.scrape_interval),
        _TIMEOUT: format_duration(job.scrape_timeout),
        _PATH: job.metrics_path,
        _SCHEME: job.scheme,
    }
    defaults |= {_PARAMETER + name: values[0] for name, values in job.params.items() if values}
    given = {n: v for n, v in {**group.labels, **target}.items() if v}
    return {**defaults, **given}


def _seconds(labels: Mapping[str, str], name: str) -> float:
    try:
        seconds = parse_duration(labels.get(name, ""))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if seconds <= 0:
        raise ValueError(f"{name} cannot be 0")
    return seconds


def _url(job: ScrapeConfig, labels: Mapping[str, str], address: str) -> str:
    parameters = {name: list(values) for name, values in job.params.items()}
    for label, value in labels.items():
        if label.startswith(_PARAMETER):
            parameters.setdefault(label.removeprefix(_PARAMETER), [""])[0:1] = [value]
    query = urlencode(sorted(parameters.items()), doseq=True)
    path = quote(labels.get(_PATH, ""), safe="/%:@!$&'()*+,;=~-._")
    if path and not path.startswith("/"):
        path = "/" + path
    return f"{labels.get(_SCHEME, 'http')}://{address}{path}" + (f"?{query}" if query else "")
