"""What scraping says of itself."""

from prometheus_client import Counter, Gauge, Histogram

from pynomaly.observability import REGISTRY

SCRAPES = Counter(
    "pynomaly_scrapes",
    "Finished scrapes by outcome: ok, or what made them fail.",
    ["outcome"],
    registry=REGISTRY,
)
DURATION = Histogram(
    "pynomaly_scrape_duration_seconds",
    "Time from the request to the last byte read and parsed.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
PARSING = Histogram(
    "pynomaly_scrape_parse_seconds",
    "Time to read a body: in full, or steady when it has the lines of the one before.",
    ["way"],
    buckets=(0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
LEFT_OUT = Counter(
    "pynomaly_scrape_left_out_samples",
    "Samples of good scrapes that were not stored: a duplicate of a series and time, or "
    "refused by the store, as too far ahead or older than the retention.",
    ["reason"],
    registry=REGISTRY,
)
TARGETS = Gauge(
    "pynomaly_scrape_targets",
    "Targets by state: up, down, unknown before their first scrape, dropped by relabelling.",
    ["state"],
    registry=REGISTRY,
)
DISCOVERIES = Counter(
    "pynomaly_scrape_discoveries",
    "Refreshes of service discovery; after a failed one its last good targets stay.",
    ["mechanism", "outcome"],
    registry=REGISTRY,
)
