"""``receivers``: whom to tell, and by which channels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import Field

from pynomaly.alerting.channels.apprise.config import AppriseConfig
from pynomaly.alerting.channels.config import ChannelConfig
from pynomaly.alerting.channels.discord.config import DiscordConfig
from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.channels.incidentio.config import IncidentioConfig
from pynomaly.alerting.channels.jira.config import JiraConfig
from pynomaly.alerting.channels.mattermost.config import MattermostConfig
from pynomaly.alerting.channels.msteams.config import MSTeamsConfig
from pynomaly.alerting.channels.msteamsv2.config import MSTeamsV2Config
from pynomaly.alerting.channels.opsgenie.config import OpsgenieConfig
from pynomaly.alerting.channels.pagerduty.config import PagerDutyConfig
from pynomaly.alerting.channels.pushover.config import PushoverConfig
from pynomaly.alerting.channels.rocketchat.config import RocketchatConfig
from pynomaly.alerting.channels.slack.config import SlackConfig
from pynomaly.alerting.channels.sns.config import SNSConfig
from pynomaly.alerting.channels.telegram.config import TelegramConfig
from pynomaly.alerting.channels.victorops.config import VictorOpsConfig
from pynomaly.alerting.channels.webex.config import WebexConfig
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.alerting.channels.wechat.config import WechatConfig
from pynomaly.model.document import Section
from pynomaly.model.labels import Labels


@dataclass(frozen=True, slots=True)
class Integration:
    """One way by which a receiver is told. ``index`` counts within those of its kind."""

    index: int
    config: ChannelConfig

    @property
    def kind(self) -> str:
        """Which channel: ``slack`` and so on."""
        return self.config.kind


class Receiver(Section):
    """A name and its integrations; one that has none is told nothing."""

    name: str = Field(min_length=1)
    labels: Mapping[str, str] = Field(default_factory=dict)

    webhook_configs: tuple[WebhookConfig, ...] = ()
    email_configs: tuple[EmailConfig, ...] = ()
    pagerduty_configs: tuple[PagerDutyConfig, ...] = ()
    opsgenie_configs: tuple[OpsgenieConfig, ...] = ()
    wechat_configs: tuple[WechatConfig, ...] = ()
    slack_configs: tuple[SlackConfig, ...] = ()
    victorops_configs: tuple[VictorOpsConfig, ...] = ()
    pushover_configs: tuple[PushoverConfig, ...] = ()
    sns_configs: tuple[SNSConfig, ...] = ()
    telegram_configs: tuple[TelegramConfig, ...] = ()
    discord_configs: tuple[DiscordConfig, ...] = ()
    webex_configs: tuple[WebexConfig, ...] = ()
    msteams_configs: tuple[MSTeamsConfig, ...] = ()
    msteamsv2_configs: tuple[MSTeamsV2Config, ...] = ()
    jira_configs: tuple[JiraConfig, ...] = ()
    incidentio_configs: tuple[IncidentioConfig, ...] = ()
    rocketchat_configs: tuple[RocketchatConfig, ...] = ()
    mattermost_configs: tuple[MattermostConfig, ...] = ()
    apprise_configs: tuple[AppriseConfig, ...] = ()

    def label_set(self) -> Labels:
        """Its labels, with its name as the label ``name``."""
        return Labels({**self.labels, "name": self.name})

    def integrations(self) -> Iterator[Integration]:
        """All of them, in the order in which Alertmanager makes them."""
        for field in CHANNEL_LISTS:
            for index, config in enumerate(getattr(self, field)):
                yield Integration(index, config)


CHANNEL_LISTS = tuple(name for name in Receiver.model_fields if name.endswith("_configs"))
"""The fields of a receiver that hold sections of channels."""
