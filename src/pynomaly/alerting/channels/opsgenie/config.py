"""``opsgenie_configs``."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    or_default,
)
from pynomaly.alerting.channels.fields import Secret, Text, Url
from pynomaly.model.document import Section

_TYPES = ("team", "teams", "user", "escalation", "schedule")


class OpsgenieResponder(Section):
    """Who is called. ``type`` may be a template."""

    id: Text = ""
    name: Text = ""
    username: Text = ""
    type: Text = ""

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        if "{{" in value:
            return value
        if value.lower() not in _TYPES:
            raise ValueError(f"the type of a responder is one of {', '.join(_TYPES)}")
        return value.lower()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.id or self.name or self.username):
            raise ValueError("a responder needs an id, a name or a username")
        return self


class OpsgenieConfig(HttpChannelConfig):
    """An alert of Opsgenie for each group of alerts."""

    kind: ClassVar[str] = "opsgenie"

    api_key: Secret = SecretStr("")
    api_key_file: str = ""
    api_url: Url | None = None
    message: Text = '{{ template "opsgenie.default.message" . }}'
    description: Text = '{{ template "opsgenie.default.description" . }}'
    source: Text = '{{ template "opsgenie.default.source" . }}'
    details: dict[Text, Text] = Field(default_factory=dict)
    entity: Text = ""
    responders: list[OpsgenieResponder] = Field(default_factory=list)
    actions: Text = ""
    tags: Text = ""
    note: Text = ""
    priority: Text = ""
    update_alerts: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "api_key")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address and the key of ``global``.

        Raises:
            ValueError: there is no key.
        """
        change = {"api_url": self.api_url or defaults.opsgenie_api_url}
        change |= or_default(self, "api_key", defaults, "opsgenie_api_key")
        found = super().inherit(defaults).model_copy(update=change)
        if not (found.api_key.get_secret_value() or found.api_key_file):
            raise ValueError("no key of Opsgenie: set api_key here, or opsgenie_api_key in global")
        return found
