"""Alertmanager's webhook: a POST of JSON to one address."""

from http import HTTPStatus

import aiohttp
import orjson

import pynomaly
from pynomaly.alerting.config import WebhookSettings
from pynomaly.alerting.contract import Delivery, Notification, Outcome
from pynomaly.alerting.payload import webhook_payload

_MOST_OF_A_REASON = 200  # characters of the receiver's answer

# Besides 5xx: the receiver says "not now". As Alertmanager, plus 408.
_NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class WebhookChannel:
    """POSTs notifications to one URL. Redirects are not followed: they would become GETs."""

    name = "webhook"

    def __init__(self, settings: WebhookSettings, external_url: str) -> None:
        self._settings = settings
        self._external_url = external_url
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, notification: Notification) -> Delivery:
        """Try once."""
        body = orjson.dumps(webhook_payload(notification, self._external_url))
        try:
            async with self._open().post(
                self._settings.url.get_secret_value(),
                data=body,
                headers={"content-type": "application/json"},
                allow_redirects=False,
            ) as answer:
                return await _judge(answer)
        except TimeoutError:
            return Delivery(Outcome.RETRYABLE, f"no answer within {self._settings.timeout:g} s")
        except aiohttp.InvalidURL:
            return Delivery(Outcome.PERMANENT, "the address is not one that can be called")
        except aiohttp.ClientConnectorError as error:
            return Delivery(Outcome.RETRYABLE, f"cannot connect: {error.os_error}")
        except aiohttp.ClientError as error:
            return Delivery(Outcome.RETRYABLE, f"the connection broke: {type(error).__name__}")

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
                headers={"user-agent": f"Pynomaly/{pynomaly.__version__}"},
            )
        return self._session


async def _judge(answer: aiohttp.ClientResponse) -> Delivery:
    if answer.ok and answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivery(Outcome.DELIVERED)
    text = (await answer.content.read(_MOST_OF_A_REASON)).decode(errors="replace").strip()
    reason = f"{answer.status} {answer.reason or ''}".strip() + (f": {text}" if text else "")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _NOT_NOW:
        return Delivery(Outcome.RETRYABLE, reason)
    return Delivery(Outcome.PERMANENT, reason)
