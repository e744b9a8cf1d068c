"""Mail by SMTP."""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pynomaly.alerting.channels.base import unrenderable
from pynomaly.alerting.channels.email.config import EmailConfig
from pynomaly.alerting.channels.email.message import Unmailable, addresses, build
from pynomaly.alerting.channels.email.smtp import Conversation, Recipients, Refused
from pynomaly.alerting.channels.http import LONGEST_ATTEMPT
from pynomaly.alerting.channels.messages import Messages, fewer
from pynomaly.alerting.channels.secrets import Secrets, UnreadableSecret, secret_of
from pynomaly.alerting.contract import Delivery, Notification, Outcome
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.model.duration import format_duration

_AT_ONCE = 4
_MOST_REMEMBERED = 1000  # notifications


class EmailChannel:
    """Sends a mail. A recipient who took it is not sent it again when others did not.

    Conversations run in threads of their own, so that a server that hangs holds up nothing else.
    """

    name = "email"

    def __init__(
        self, config: EmailConfig, messages: Messages, *, timeout: float = LONGEST_ATTEMPT
    ) -> None:
        self._config = config
        self._messages = messages
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mail")
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._done: OrderedDict[str, Recipients] = OrderedDict()

    async def deliver(self, notification: Notification) -> Delivery:
        """Try once."""
        config = self._config
        try:
            message = self._messages.of(notification)
            senders = addresses(message.text(config.from_))
            if len(senders) != 1:
                raise Unmailable(f"one sender is needed in from, not {len(senders)}")
            recipients = addresses(message.text(config.to))
            now = self._messages.now()
            mail = await message.made(lambda: build(config, notification, message, now))
            password = await secret_of(config.auth_password, config.auth_password_file)
            secret = await secret_of(config.auth_secret, config.auth_secret_file)
        except TemplateError as error:
            if (first := fewer(notification)) is not None:
                return await self.deliver(first)
            return unrenderable(error)
        except Unmailable as error:
            return Delivery(Outcome.PERMANENT, str(error))
        except UnreadableSecret as error:
            return error.delivery()
        conversation = Conversation(config, password, secret, self._timeout)
        done = self._recipients(notification)
        say = partial(conversation.run, senders[0], recipients, mail.as_bytes(), done)
        try:
            async with self._slots:  # so that its time begins with its thread
                await self._hold(conversation, say)
        except Refused as error:
            outcome = Outcome.PERMANENT if error.permanent else Outcome.RETRYABLE
            return Delivery(outcome, Secrets().text(password, secret).hide(str(error)))
        refused = "; ".join(f"not to {a}: {words}" for a, words in done.refused.items())
        return Delivery(Outcome.DELIVERED, refused)

    async def close(self) -> None:
        """End the threads; what they are about is broken off before, with its task."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _hold(self, conversation: Conversation, say: partial[None]) -> None:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, say)
        except RuntimeError:  # the threads have ended
            raise Refused("the channel is closed, since the configuration has changed") from None
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.shield(running)
        except TimeoutError:
            raise Refused(f"no answer within {format_duration(self._timeout)}") from None
        finally:
            if not running.done():
                conversation.give_up()
                running.add_done_callback(_seen)

    def _recipients(self, notification: Notification) -> Recipients:
        if not notification.id:
            return Recipients()
        done = self._done.setdefault(notification.id, Recipients())
        self._done.move_to_end(notification.id)
        if len(self._done) > _MOST_REMEMBERED:
            self._done.popitem(last=False)
        return done


def _seen(future: "asyncio.Future[None]") -> None:
    """A conversation that was given up ends with an error that nobody needs."""
    if not future.cancelled():
        future.exception()
