"""Whatever Apprise speaks: one message to one of its addresses."""

import asyncio
import importlib
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from pynomaly.alerting.channels.apprise.config import AppriseConfig
from pynomaly.alerting.channels.base import unrenderable
from pynomaly.alerting.channels.errors import UnusableChannel
from pynomaly.alerting.channels.messages import Messages, fewer, shortened
from pynomaly.alerting.channels.secrets import Secrets, UnreadableSecret, secret_of
from pynomaly.alerting.contract import Delivery, Notification, Outcome
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.model.duration import format_duration

_AT_ONCE = 4
_MOST_OF_A_REASON = 200


class AppriseChannel:
    """Sends a title and a text. Apprise does not say whether a failure is for good: it is not.

    Its services wait for their servers in threads of this channel's own.
    """

    name = "apprise"

    def __init__(self, config: AppriseConfig, messages: Messages) -> None:
        self._apprise = _library()
        self._config = config
        self._messages = messages
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="apprise")
        self._slots = asyncio.Semaphore(_AT_ONCE)
        url = config.url.get_secret_value()
        if url and self._service(url) is None:
            raise UnusableChannel(
                "An address under apprise_configs is none that Apprise knows.",
                hint="See https://appriseit.com/services/ for the form of each service's.",
            )

    async def deliver(self, notification: Notification) -> Delivery:
        """Try once."""
        config = self._config
        try:
            message = self._messages.of(notification)
            title = await message.made(lambda: message.text(config.title))
            body = await message.made(lambda: message.text(config.body))
            url = await secret_of(config.url, config.url_file)
        except TemplateError as error:
            first = fewer(notification)
            return unrenderable(error) if first is None else await self.deliver(first)
        except UnreadableSecret as error:
            return error.delivery()
        send = partial(self._send, url, title, body, firing=bool(notification.firing))
        loop = asyncio.get_running_loop()
        try:
            async with self._slots, asyncio.timeout(config.timeout):
                return await loop.run_in_executor(self._threads, send)
        except RuntimeError:  # the threads have ended
            closed = "the channel is closed, since the configuration has changed"
            return Delivery(Outcome.RETRYABLE, closed)
        except TimeoutError:
            limit = format_duration(config.timeout)
            return Delivery(Outcome.RETRYABLE, f"no answer within {limit}")

    async def close(self) -> None:
        """End the threads when they are done."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, url: str, title: str, body: str, *, firing: bool) -> Delivery:
        service = self._service(url)
        if service is None:
            return Delivery(Outcome.PERMANENT, "the address is none that Apprise knows")
        kinds = self._apprise.NotifyType
        result = service.notify(
            body,
            title,
            kinds.FAILURE if firing else kinds.SUCCESS,
            body_format=self._config.format,
            timeout=self._config.timeout,
        )
        if result:
            return Delivery(Outcome.DELIVERED)
        said = "; ".join(dict.fromkeys(entry.message for entry in result.logs()))
        hidden = shortened(Secrets().url(url).hide(said), _MOST_OF_A_REASON)
        return Delivery(Outcome.RETRYABLE, f"Apprise: {hidden or 'it does not say why'}")

    def _service(self, url: str) -> Any:
        asset = self._apprise.AppriseAsset(app_id="Pynomaly", app_desc="Pynomaly")
        service = self._apprise.Apprise(asset=asset)
        return service if service.add(url) else None


def _library() -> Any:
    """Apprise, imported by who needs it only: that takes a second."""
    try:
        library = importlib.import_module("apprise")
    except ImportError as error:
        raise UnusableChannel(
            "apprise_configs need the package apprise, which is not installed.",
            hint="Install it: pip install 'pynomaly-monitoring[notify]'.",
        ) from error
    # Their debug logs show addresses with their secrets.
    logging.getLogger("apprise").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.INFO)
    return library
