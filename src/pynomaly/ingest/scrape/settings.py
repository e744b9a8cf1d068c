"""Pynomaly's own settings of scraping, beside what ``prometheus.yml`` says."""

from typing import Literal

from pydantic import Field

from pynomaly.model.document import Section
from pynomaly.model.duration import Duration


class ScrapeSettings(Section):
    """How scraping behaves where Prometheus has flags, or nothing."""

    max_body_bytes: int = Field(
        default=128 * 1024 * 1024,
        ge=1024,
        description="The bound of a body, decompressed, where body_size_limit sets none.",
    )
    openmetrics: Literal["specification", "prometheus"] = Field(
        default="specification",
        description="Whether an OpenMetrics body must keep the whole specification, or only its "
        "syntax, which is all that a Prometheus server looks at.",
    )
    timestamp_tolerance: Duration = Field(
        default=0.05,
        ge=0,
        description="A scrape that begins this little too late (at most 1% of its interval) "
        "carries the time it was due at: regular timestamps are stored in less space.",
    )
    file_poll_interval: Duration = Field(
        default=5.0,
        gt=0,
        description="How often files of targets are looked at for changes.",
    )
