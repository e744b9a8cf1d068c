"""WeChat Work: an app's message to people of a company."""

from typing import Any
from urllib.parse import urlencode

import orjson

from pynomaly.alerting.channels.base import HttpChannel
from pynomaly.alerting.channels.http import Answer, judge
from pynomaly.alerting.channels.messages import Message
from pynomaly.alerting.channels.secrets import Secrets, secret_of
from pynomaly.alerting.channels.wechat.config import WechatConfig
from pynomaly.alerting.contract import Delivery, Notification, Outcome

_TOKEN_SECONDS = 7200.0  # https://developer.work.weixin.qq.com/document/path/91039
_EXPIRED = frozenset({40014, 41001, 42001})


class WechatChannel(HttpChannel[WechatConfig]):
    """Asks for a token, which holds for two hours, and sends."""

    _token = ""
    _token_at = 0.0

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Try once; a token that has expired is asked for anew by the next attempt."""
        now = self.messages.now()
        if not self._token or now - self._token_at > _TOKEN_SECONDS:
            answer = await self._ask(message)
            if not answer.ok:
                return judge(answer, now)
            self._token = str(answer.json().get("access_token", ""))
            self._token_at = now
            if not self._token:
                return Delivery(Outcome.PERMANENT, f"no token: {_said(answer)}")
        content = await message.made(lambda: self._content(message))
        answer = await self.client.post(
            f"{self._base()}/message/send?{urlencode({'access_token': self._token})}",
            orjson.dumps(content),
            secrets=Secrets().text(self._token),
        )
        code = answer.json().get("errcode", 0)
        if not answer.ok or not code:
            return judge(answer, now)
        if code in _EXPIRED:
            self._token = ""
            return Delivery(Outcome.RETRYABLE, f"WeChat: {_said(answer)}")
        return Delivery(Outcome.PERMANENT, f"WeChat did not take it: {_said(answer)}")

    async def _ask(self, message: Message) -> Answer:
        secret = message.text(await secret_of(self.config.api_secret, self.config.api_secret_file))
        asked = urlencode({"corpsecret": secret, "corpid": message.text(self.config.corp_id)})
        return await self.client.post(
            f"{self._base()}/gettoken?{asked}", b"", method="GET", secrets=Secrets().text(secret)
        )

    def _base(self) -> str:
        return (self.config.api_url or "").rstrip("/")

    def _content(self, message: Message) -> dict[str, Any]:
        config, text = self.config, message.text
        return {
            "touser": text(config.to_user),
            "toparty": text(config.to_party),
            "totag": text(config.to_tag),
            "agentid": text(config.agent_id),
            "msgtype": config.message_type,
            "safe": "0",
            config.message_type: {"content": text(config.message)},
        }


def _said(answer: Answer) -> str:
    return answer.secrets.hide(str(answer.json().get("errmsg", "it does not say why")))[:200]
