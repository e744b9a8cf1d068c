"""``receivers``: whom to tell, and by which integrations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from pynomaly.model.document import Section

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Integration:
    """One way by which a receiver is told. ``index`` counts within those of one ``kind``."""

    kind: str
    index: int
    config: Any


class Receiver(Section):
    """A name and its integrations; one that has none is told nothing."""

    name: str = Field(min_length=1)
    labels: Mapping[str, str] = Field(default_factory=dict)

    webhook_configs: tuple[Raw, ...] = ()
    email_configs: tuple[Raw, ...] = ()
    pagerduty_configs: tuple[Raw, ...] = ()
    opsgenie_configs: tuple[Raw, ...] = ()
    wechat_configs: tuple[Raw, ...] = ()
    slack_configs: tuple[Raw, ...] = ()
    victorops_configs: tuple[Raw, ...] = ()
    pushover_configs: tuple[Raw, ...] = ()
    sns_configs: tuple[Raw, ...] = ()
    telegram_configs: tuple[Raw, ...] = ()
    discord_configs: tuple[Raw, ...] = ()
    webex_configs: tuple[Raw, ...] = ()
    msteams_configs: tuple[Raw, ...] = ()
    msteamsv2_configs: tuple[Raw, ...] = ()
    jira_configs: tuple[Raw, ...] = ()
    incidentio_configs: tuple[Raw, ...] = ()
    rocketchat_configs: tuple[Raw, ...] = ()
    mattermost_configs: tuple[Raw, ...] = ()
    apprise_configs: tuple[Raw, ...] = ()

    def integrations(self) -> Iterator[Integration]:
        """All of them, in the order in which Alertmanager makes them."""
        for field in type(self).model_fields:
            if field.endswith("_configs"):
                kind = field.removesuffix("_configs")
                for index, config in enumerate(getattr(self, field)):
                    yield Integration(kind, index, config)
