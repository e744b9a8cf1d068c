"""Pushover: a message to a person's devices."""

from http import HTTPStatus
from urllib.parse import urlencode

from pynomaly.alerting.channels.base import HttpChannel, given
from pynomaly.alerting.channels.http import judge
from pynomaly.alerting.channels.messages import Message, shortened
from pynomaly.alerting.channels.pushover.config import PushoverConfig
from pynomaly.alerting.channels.secrets import Secrets, secret_of
from pynomaly.alerting.contract import Delivery, Notification

API = "https://api.pushover.net/1/messages.json"

# Characters: https://pushover.net/api#limits
_MOST_OF_A_TITLE = 250
_MOST_OF_A_MESSAGE = 1024
_MOST_OF_A_URL = 512


class PushoverChannel(HttpChannel[PushoverConfig]):
    """Sends a form; the keys stand in its body, not in the address."""

    api = API

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Try once."""
        config, text = self.config, message.text
        token = text(await secret_of(config.token, config.token_file)).strip()
        user = text(await secret_of(config.user_key, config.user_key_file)).strip()
        form = await message.made(lambda: self._form(message))
        answer = await self.client.post(
            self.api,
            urlencode({"token": token, "user": user, **form}).encode(),
            content_type="application/x-www-form-urlencoded",
            secrets=Secrets().text(token, user),
        )
        errors = answer.json().get("errors")
        said = ", ".join(map(str, errors)) if isinstance(errors, list) else None
        return judge(answer, self.messages.now(), retry=[HTTPStatus.TOO_MANY_REQUESTS], detail=said)

    def _form(self, message: Message) -> dict[str, str]:
        config, text = self.config, message.text
        said = message.html(config.message) if config.html else text(config.message)
        return {
            "message": shortened(said.strip(), _MOST_OF_A_MESSAGE) or "(no details)",
            "priority": text(config.priority),
            "retry": str(int(config.retry)),
            "expire": str(int(config.expire)),
            **given(
                {
                    "title": shortened(text(config.title), _MOST_OF_A_TITLE),
                    "html": "1" if config.html else "",
                    "monospace": "1" if config.monospace else "",
                    "url": shortened(text(config.url), _MOST_OF_A_URL),
                    "url_title": text(config.url_title),
                    "device": text(config.device),
                    "sound": text(config.sound),
                    "ttl": str(int(config.ttl)) if config.ttl >= 1 else "",
                }
            ),
        }
