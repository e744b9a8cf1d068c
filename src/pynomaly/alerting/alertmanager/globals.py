"""``global``: what holds for all receivers that do not say otherwise."""

from pynomaly.alerting.channels.config import ChannelDefaults
from pynomaly.model.duration import Duration


class GlobalConfig(ChannelDefaults):
    """Defaults of the channels, by Alertmanager's names."""

    resolve_timeout: Duration = 300.0
