"""``pagerduty_configs``."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    given,
)
from pynomaly.alerting.channels.fields import GoDuration, Secret, Text, Url
from pynomaly.model.document import Section, Untyped

DETAILS: Mapping[str, str] = {
    "firing": "{{ .Alerts.Firing | toJson }}",
    "resolved": "{{ .Alerts.Resolved | toJson }}",
    "num_firing": "{{ .Alerts.Firing | len }}",
    "num_resolved": "{{ .Alerts.Resolved | len }}",
}
"""What ``details`` holds besides what is configured; templates."""


class PagerDutyLink(Section):
    """A link of an incident."""

    href: Text = ""
    text: Text = ""


class PagerDutyImage(Section):
    """An image of an incident."""

    src: Text = ""
    alt: Text = ""
    href: Text = ""


class PagerDutyConfig(HttpChannelConfig):
    """Events of PagerDuty: ``routing_key`` by the API's version 2, ``service_key`` by version 1."""

    kind: ClassVar[str] = "pagerduty"

    service_key: Secret = SecretStr("")
    service_key_file: str = ""
    routing_key: Secret = SecretStr("")
    routing_key_file: str = ""
    url: Url | None = None
    client: Text = '{{ template "pagerduty.default.client" . }}'
    client_url: Text = '{{ template "pagerduty.default.clientURL" . }}'
    description: Text = '{{ template "pagerduty.default.description" . }}'
    details: dict[Text, Untyped] = Field(default_factory=dict)
    images: list[PagerDutyImage] = Field(default_factory=list)
    links: list[PagerDutyLink] = Field(default_factory=list)
    source: Text = ""
    severity: Text = ""
    class_: Text = Field(default="", alias="class")
    component: Text = ""
    group: Text = ""
    timeout: GoDuration = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        keys = ("routing_key", "routing_key_file", "service_key", "service_key_file")
        if not any(given(self, name) for name in keys):
            raise ValueError("routing_key or service_key, or its file, must be configured")
        at_most_one(self, "routing_key", "service_key")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address of ``global``, the usual details, and the client as the source."""
        return (
            super()
            .inherit(defaults)
            .model_copy(
                update={
                    "url": self.url or defaults.pagerduty_url,
                    "details": {**DETAILS, **self.details},
                    "source": self.source or self.client,
                    "severity": self.severity or "error",
                }
            )
        )
