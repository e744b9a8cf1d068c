"""What the parts of ``alertmanager.yml`` have from elsewhere: from ``global``, and their folder."""

from pathlib import Path
from typing import Any

from pynomaly.alerting.alertmanager.checks import Fault
from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.globals import GlobalConfig
from pynomaly.alerting.alertmanager.receivers import CHANNEL_LISTS, Receiver
from pynomaly.alerting.channels.config import ChannelConfig, located


def complete(config: AlertmanagerConfig, folder: Path) -> tuple[AlertmanagerConfig, list[Fault]]:
    """Every channel with what it leaves to ``global``, and every path absolute.

    Besides, what is missing in both: those channels stay as they are written.
    """
    defaults: GlobalConfig = located(config.global_, folder)
    found: list[Fault] = []
    receivers = []
    for index, receiver in enumerate(config.receivers):
        receiver, missing = _completed(receiver, defaults, folder)
        receivers.append(receiver)
        found += [Fault(("receivers", index, *place), text) for place, text in missing]
    completed = config.completed(
        global_=defaults,
        receivers=tuple(receivers),
        templates=tuple(str(folder / pattern) for pattern in config.templates),
    )
    return completed, found


def _completed(
    receiver: Receiver, defaults: GlobalConfig, folder: Path
) -> tuple[Receiver, list[Fault]]:
    found: list[Fault] = []
    changes: dict[str, Any] = {}
    for field in CHANNEL_LISTS:
        channels: list[ChannelConfig] = []
        for index, channel in enumerate(getattr(receiver, field)):
            try:
                channels.append(channel.located(folder).inherit(defaults))
            except ValueError as error:
                found.append(Fault((field, index), f"{receiver.name}: {field}.{index}: {error}"))
        changes[field] = tuple(channels)
    return receiver.model_copy(update=changes), found
