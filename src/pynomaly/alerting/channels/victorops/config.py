"""``victorops_configs``."""

from typing import Any, ClassVar, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from pynomaly.alerting.channels.config import (
    ChannelDefaults,
    HttpChannelConfig,
    at_most_one,
    given,
    or_default,
)
from pynomaly.alerting.channels.fields import Secret, Text, Url

_RESERVED = frozenset(
    {
        "routing_key", "message_type", "state_message", "entity_display_name",
        "monitoring_tool", "entity_id", "entity_state",
    }
)  # fmt: skip


class VictorOpsConfig(HttpChannelConfig):
    """An incident for each group of alerts."""

    kind: ClassVar[str] = "victorops"

    api_key: Secret = SecretStr("")
    api_key_file: str = ""
    api_url: Url | None = None
    routing_key: Text = Field(min_length=1)
    message_type: Text = "CRITICAL"
    state_message: Text = '{{ template "victorops.default.state_message" . }}'
    entity_display_name: Text = '{{ template "victorops.default.entity_display_name" . }}'
    monitoring_tool: Text = '{{ template "victorops.default.monitoring_tool" . }}'
    custom_fields: dict[Text, Text] = Field(default_factory=dict)

    @field_validator("custom_fields")
    @classmethod
    def _free(cls, fields: dict[str, str]) -> dict[str, str]:
        for name in sorted(_RESERVED & fields.keys()):
            raise ValueError(f"the custom field {name!r} is one that is always sent")
        return fields

    @model_validator(mode="after")
    def _check(self) -> Self:
        at_most_one(self, "api_key")
        return self

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address and the key of ``global``.

        Raises:
            ValueError: there is no key.
        """
        change: dict[str, Any] = {"api_url": self.api_url or defaults.victorops_api_url}
        change |= or_default(self, "api_key", defaults, "victorops_api_key")
        found = super().inherit(defaults).model_copy(update=change)
        if not (given(found, "api_key") or found.api_key_file):
            raise ValueError("no key: set api_key here, or victorops_api_key under global")
        return found
