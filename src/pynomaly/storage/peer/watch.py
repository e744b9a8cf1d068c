"""Is the server there? Asked apart from all queries, so that a slow query proves nothing."""

import logging
from http import HTTPStatus

import orjson

from pynomaly.model.errors import PynomalyError
from pynomaly.storage.peer import metrics
from pynomaly.storage.peer.client import Answer, PeerClient, Request
from pynomaly.storage.peer.errors import PeerAway, PeerSettling

log = logging.getLogger(__name__)


class PeerWatch:
    """Knows whether the server is away, and since when it is back.

    Run ``check`` every ``check_interval`` seconds by the scheduler; before the first check the
    server is taken to be there. While it is away nobody else asks it: a server that comes back
    is not met by everything that waited, and nobody waits for what does not come.
    """

    def __init__(self, client: PeerClient) -> None:
        self._client = client
        self._failures = 0
        self._checked = False
        self._reason = ""
        self._settles_at = 0.0

    async def check(self, due: float = 0.0) -> None:
        """Ask for ``vector(1)``, once."""
        try:
            await self._ask()
        except PynomalyError as error:
            self._failed(str(error))
        else:
            self._answered()
        up = 0.0 if self._reason else 1.0
        metrics.UP.labels(str(self._client.settings.url)).set(up)
        self._checked = True

    @property
    def away(self) -> bool:
        """Whether the last checks failed."""
        return bool(self._reason)

    def trouble(self) -> str | None:
        """Why it is away, and that it has only just come back; None when all is well."""
        if self._reason:
            return self._reason
        left = self._settles_at - self._client.clock.now()
        if left > 0:
            return f"It is back; rules and judges go on in {left:.0f} s."
        return None

    def refuse_if_away(self) -> None:
        """Spare a server that is away.

        Raises:
            PeerAway: it is.
        """
        if self._reason:
            raise PeerAway(self._reason)

    def refuse_unless_settled(self) -> None:
        """For whoever judges by what is there and what is not.

        Raises:
            PeerAway: it is away.
            PeerSettling: it has only just come back.
        """
        self.refuse_if_away()
        left = self._settles_at - self._client.clock.now()
        if left > 0:
            raise PeerSettling(
                f"{self._client.settings.url} is back; nothing is judged by it for {left:.0f} s."
            )

    async def _ask(self) -> None:
        settings = self._client.settings
        request = Request(
            "check",
            "GET",
            f"{settings.url}/api/v1/query?query=vector(1)",
            settings.check_timeout,
        )
        answer = await self._client.once(request)
        if not _sensible(answer):
            raise PeerAway(
                f"{settings.url} does not answer as Prometheus does: {answer.status} "
                f"{answer.text()[:200]}",
                hint="" if answer.not_now() else "Set prometheus.url to where its API is.",
            )

    def _failed(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= self._client.settings.check_failures or not self._checked:
            if not self._reason:
                log.warning("away: %s", reason)
            self._reason = reason

    def _answered(self) -> None:
        if self._reason:
            log.warning("%s is back", self._client.settings.url)
            self._settles_at = self._client.clock.now() + self._client.settings.settle
        self._failures, self._reason = 0, ""


def _sensible(answer: Answer) -> bool:
    if answer.status != HTTPStatus.OK:
        return False
    try:
        return bool(orjson.loads(answer.body)["status"] == "success")
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return False
