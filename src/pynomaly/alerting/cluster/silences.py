"""Silences that Alertmanagers keep, asked of the first that answers."""

from collections.abc import Callable, Sequence

import orjson

from pynomaly.alerting.channels.http import Answer, Unreachable
from pynomaly.alerting.channels.messages import shortened
from pynomaly.alerting.cluster.errors import ClusterAway
from pynomaly.alerting.cluster.member import Member
from pynomaly.alerting.cluster.wire import gettable_silence, postable_silence
from pynomaly.alerting.silences.errors import BadSilence, SilenceNotFound
from pynomaly.alerting.silences.silence import Silence
from pynomaly.model.errors import BadInput

_MOST_OF_A_REASON = 300
_NOT_FOUND = 404


class ClusterSilences:
    """A ``SilenceKeeper``: what one member is told, its cluster tells the others."""

    def __init__(self, members: Callable[[], Sequence[Member]]) -> None:
        self._members = members

    async def all(self) -> list[Silence]:
        """Every silence that is kept.

        Raises:
            ClusterAway: nobody answers, or not in a way that can be read.
        """
        answer = await self._ask("GET", "/silences")
        try:
            return [gettable_silence(each) for each in orjson.loads(answer.body)]
        except (BadInput, ValueError, TypeError) as error:
            raise ClusterAway(
                f"The silences of the Alertmanagers cannot be read: {error}"
            ) from error

    async def set(self, silence: Silence) -> str:
        """Create or change one; returns the id it has then.

        Raises:
            BadSilence, SilenceNotFound: it is refused.
            ClusterAway: nobody answers.
        """
        answer = await self._ask("POST", "/silences", orjson.dumps(postable_silence(silence)))
        return str(answer.json().get("silenceID", ""))

    async def expire(self, silence_id: str) -> None:
        """End one now.

        Raises:
            SilenceNotFound: nobody knows it.
            ClusterAway: nobody answers.
        """
        await self._ask("DELETE", f"/silence/{silence_id}")

    async def _ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        reason = "there is none"
        for member in sorted(self._members(), key=lambda member: bool(member.away)):
            try:
                answer = await member.ask(method, path, body)
            except Unreachable as error:
                reason = f"{member.base}: {error}"
                continue
            if answer.ok:
                return answer
            said = shortened(answer.text, _MOST_OF_A_REASON).strip('"')
            if answer.status == _NOT_FOUND:
                raise SilenceNotFound(said or "The Alertmanagers do not know this silence.")
            raise BadSilence(f"{member.base} refuses it: {said or answer.status}")
        raise ClusterAway(
            f"No Alertmanager answers; {reason}", hint="Silences are kept by them, not here."
        )
