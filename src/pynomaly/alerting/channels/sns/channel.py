"""Amazon's SNS: a message to a topic, an endpoint or a telephone, signed by SigV4.

Source of the form: Amazon's SNS API reference, Publish, version 2010-03-31.
"""

import asyncio
import re
from urllib.parse import urlencode

from pynomaly.alerting.channels.base import HttpChannel, group_hash
from pynomaly.alerting.channels.http import Answer, Unreachable, judge
from pynomaly.alerting.channels.messages import Message, Messages
from pynomaly.alerting.channels.sns.config import SNSConfig
from pynomaly.alerting.channels.sns.signing import FORM, NoCredentials, Signer, require_botocore
from pynomaly.alerting.contract import Delivery, Notification

_MOST_BYTES = 256 * 1024
_MOST_BYTES_OF_SMS = 1600
_MOST_OF_A_SUBJECT = 100
_THROTTLED = re.compile(r"<Code>(Throttl\w*|RequestThrottled\w*|KMSThrottling\w*)</Code>")
_CODE_AND_MESSAGE = re.compile(r"<(Code|Message)>(.*?)</\1>", re.DOTALL)
_BAD_REQUEST = 400
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class SNSChannel(HttpChannel[SNSConfig]):
    """Publishes; raises UnusableChannel where botocore is not installed."""

    def __init__(self, config: SNSConfig, messages: Messages) -> None:
        require_botocore()
        super().__init__(config, messages)
        self._signer = Signer(config.sigv4)

    async def send(self, notification: Notification, message: Message) -> Delivery:
        """Try once."""
        form = await message.made(lambda: self._form(notification, message))
        body = urlencode(form).encode()
        now = self.messages.now()
        try:
            url = message.text(self.config.api_url) or await asyncio.to_thread(
                self._signer.endpoint
            )
            url = url if url.endswith("/") else f"{url}/"
            proofs = await asyncio.to_thread(self._signer.headers, url, body, now)
        except NoCredentials as error:
            raise Unreachable(str(error)) from None
        answer = await self.client.post(
            url, body, proofs=proofs, content_type=FORM, secret_address=False
        )
        return self._judged(answer, now)

    def _judged(self, answer: Answer, now: float) -> Delivery:
        said = answer.body.decode(errors="replace")
        parts = [text for _, text in _CODE_AND_MESSAGE.findall(said)]
        throttled = answer.status == _BAD_REQUEST and _THROTTLED.search(said)
        retry = (_BAD_REQUEST,) if throttled else ()
        return judge(answer, now, retry=retry, detail=": ".join(parts) or None)

    def _form(self, notification: Notification, message: Message) -> dict[str, str]:
        config, text = self.config, message.text
        form = {"Action": "Publish", "Version": "2010-03-31"}
        if config.topic_arn:
            topic = form["TopicArn"] = text(config.topic_arn)
            if topic.endswith(".fifo"):
                key = group_hash(notification)
                # Within five minutes SNS drops what has the same id; another state has another.
                repeated = notification.id or key
                form |= {"MessageGroupId": key, "MessageDeduplicationId": repeated}
        if config.phone_number:
            form["PhoneNumber"] = text(config.phone_number)
        if config.target_arn:
            form["TargetArn"] = text(config.target_arn)
        most = _MOST_BYTES_OF_SMS if config.phone_number else _MOST_BYTES
        whole = text(config.message)
        form["Message"] = _within(whole, most)
        if config.subject and (subject := _CONTROL.sub(" ", text(config.subject)).strip()):
            form["Subject"] = subject[:_MOST_OF_A_SUBJECT]
        attributes = {text(name): text(value) for name, value in config.attributes.items()}
        if form["Message"] != whole:
            attributes["truncated"] = "true"
        for number, (name, value) in enumerate(attributes.items(), start=1):
            entry = f"MessageAttributes.entry.{number}"
            form |= {
                f"{entry}.Name": name,
                f"{entry}.Value.DataType": "String",
                f"{entry}.Value.StringValue": value,
            }
        return form


def _within(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, without half a character at the end."""
    return text.encode()[:most].decode(errors="ignore")
