"""All kinds of channels that a receiver may have, in the order in which Alertmanager calls them."""

from collections.abc import Mapping

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

CONFIGS: Mapping[str, type[ChannelConfig]] = {
    config.kind: config
    for config in (
        WebhookConfig,
        EmailConfig,
        PagerDutyConfig,
        OpsgenieConfig,
        WechatConfig,
        SlackConfig,
        VictorOpsConfig,
        PushoverConfig,
        SNSConfig,
        TelegramConfig,
        DiscordConfig,
        WebexConfig,
        MSTeamsConfig,
        MSTeamsV2Config,
        JiraConfig,
        IncidentioConfig,
        RocketchatConfig,
        MattermostConfig,
        AppriseConfig,
    )
}
"""The section of each kind; in a receiver it stands under ``<kind>_configs``."""
