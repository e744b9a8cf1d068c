"""Makes a channel of its section."""

from collections.abc import Callable, Mapping
from typing import Any

from pynomaly.alerting.channels.apprise.channel import AppriseChannel
from pynomaly.alerting.channels.apprise.config import AppriseConfig
from pynomaly.alerting.channels.config import ChannelConfig
from pynomaly.alerting.channels.discord.channel import DiscordChannel
from pynomaly.alerting.channels.discord.config import DiscordConfig
from pynomaly.alerting.channels.email.channel import EmailChannel
from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.channels.incidentio.channel import IncidentioChannel
from pynomaly.alerting.channels.incidentio.config import IncidentioConfig
from pynomaly.alerting.channels.jira.channel import JiraChannel
from pynomaly.alerting.channels.jira.config import JiraConfig
from pynomaly.alerting.channels.mattermost.channel import MattermostChannel
from pynomaly.alerting.channels.mattermost.config import MattermostConfig
from pynomaly.alerting.channels.messages import Messages
from pynomaly.alerting.channels.msteams.channel import MSTeamsChannel
from pynomaly.alerting.channels.msteams.config import MSTeamsConfig
from pynomaly.alerting.channels.msteamsv2.channel import MSTeamsV2Channel
from pynomaly.alerting.channels.msteamsv2.config import MSTeamsV2Config
from pynomaly.alerting.channels.opsgenie.channel import OpsgenieChannel
from pynomaly.alerting.channels.opsgenie.config import OpsgenieConfig
from pynomaly.alerting.channels.pagerduty.channel import PagerDutyChannel
from pynomaly.alerting.channels.pagerduty.config import PagerDutyConfig
from pynomaly.alerting.channels.pushover.channel import PushoverChannel
from pynomaly.alerting.channels.pushover.config import PushoverConfig
from pynomaly.alerting.channels.rocketchat.channel import RocketchatChannel
from pynomaly.alerting.channels.rocketchat.config import RocketchatConfig
from pynomaly.alerting.channels.slack.channel import SlackChannel
from pynomaly.alerting.channels.slack.config import SlackConfig
from pynomaly.alerting.channels.sns.channel import SNSChannel
from pynomaly.alerting.channels.sns.config import SNSConfig
from pynomaly.alerting.channels.telegram.channel import TelegramChannel
from pynomaly.alerting.channels.telegram.config import TelegramConfig
from pynomaly.alerting.channels.victorops.channel import VictorOpsChannel
from pynomaly.alerting.channels.victorops.config import VictorOpsConfig
from pynomaly.alerting.channels.webex.channel import WebexChannel
from pynomaly.alerting.channels.webex.config import WebexConfig
from pynomaly.alerting.channels.webhook.channel import WebhookChannel
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.alerting.channels.wechat.channel import WechatChannel
from pynomaly.alerting.channels.wechat.config import WechatConfig
from pynomaly.alerting.contract import Channel

# The types of a pair belong together, which a mapping cannot say.
_MAKERS: Mapping[type[ChannelConfig], Callable[[Any, Messages], Channel]] = {
    AppriseConfig: AppriseChannel,
    DiscordConfig: DiscordChannel,
    EmailConfig: EmailChannel,
    IncidentioConfig: IncidentioChannel,
    JiraConfig: JiraChannel,
    MattermostConfig: MattermostChannel,
    MSTeamsConfig: MSTeamsChannel,
    MSTeamsV2Config: MSTeamsV2Channel,
    OpsgenieConfig: OpsgenieChannel,
    PagerDutyConfig: PagerDutyChannel,
    PushoverConfig: PushoverChannel,
    RocketchatConfig: RocketchatChannel,
    SlackConfig: SlackChannel,
    SNSConfig: SNSChannel,
    TelegramConfig: TelegramChannel,
    VictorOpsConfig: VictorOpsChannel,
    WebexConfig: WebexChannel,
    WebhookConfig: WebhookChannel,
    WechatConfig: WechatChannel,
}


def build(config: ChannelConfig, messages: Messages) -> Channel:
    """The channel of a section that ``inherit`` has completed.

    Raises:
        UnusableChannel: it needs what is not here.
    """
    return _MAKERS[type(config)](config, messages)
