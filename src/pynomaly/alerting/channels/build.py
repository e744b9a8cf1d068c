"""Makes a channel of its section."""

from collections.abc import Callable, Mapping
from typing import Any

from pynomaly.alerting.channels.apprise.channel import AppriseChannel
from pynomaly.alerting.channels.apprise.config import AppriseConfig
from pynomaly.alerting.channels.config import ChannelConfig
from pynomaly.alerting.channels.email.channel import EmailChannel
from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.channels.messages import Messages
from pynomaly.alerting.channels.pagerduty.channel import PagerDutyChannel
from pynomaly.alerting.channels.pagerduty.config import PagerDutyConfig
from pynomaly.alerting.channels.slack.channel import SlackChannel
from pynomaly.alerting.channels.slack.config import SlackConfig
from pynomaly.alerting.channels.webhook.channel import WebhookChannel
from pynomaly.alerting.channels.webhook.config import WebhookConfig
from pynomaly.alerting.contract import Channel

# The types of a pair belong together, which a mapping cannot say.
_MAKERS: Mapping[type[ChannelConfig], Callable[[Any, Messages], Channel]] = {
    AppriseConfig: AppriseChannel,
    EmailConfig: EmailChannel,
    PagerDutyConfig: PagerDutyChannel,
    SlackConfig: SlackChannel,
    WebhookConfig: WebhookChannel,
}


def build(config: ChannelConfig, messages: Messages) -> Channel:
    """The channel of a section that ``inherit`` has completed.

    Raises:
        UnusableChannel: it needs what is not here.
    """
    return _MAKERS[type(config)](config, messages)
