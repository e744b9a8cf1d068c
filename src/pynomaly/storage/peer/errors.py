"""What can go wrong with a server that is not ours."""

from pynomaly.model.errors import PynomalyError


class PeerAway(PynomalyError):
    """The server is away: no connection, a failure of its own, no sensible answer.

    Nobody's query is at fault, and the same may succeed later. That it is away says nothing of
    the series that it holds: whoever judges keeps what was known.
    """

    status = 503
    kind = "unavailable"


class PeerSilent(PeerAway):
    """It was connected to, and did not answer in time."""


class PeerBusy(PeerAway):
    """Too much waits for it already; nothing was sent."""

    status = 429
    kind = "too_many_requests"


class PartialAnswer(PeerAway):
    """It answered, and says that a part of its data was not there to be asked."""


class PeerSettling(PeerAway):
    """It is back; what it did not collect meanwhile must not be taken for a finding."""


class PeerRefused(PynomalyError):
    """It does not let us in, or there is no such API at the address: settings must change."""

    status = 502
    kind = "bad_gateway"


class AnswerTooLarge(PynomalyError):
    """The answer is larger than ``prometheus.max_answer_bytes``."""

    status = 422
    kind = "execution"
