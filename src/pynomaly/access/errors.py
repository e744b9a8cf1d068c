"""Why somebody was not let in."""

from pynomaly.model.errors import PynomalyError


class AccessDenied(PynomalyError):
    """The principal may not do this; 401 where logging in would help, else 403."""

    kind = "forbidden"

    def __init__(self, message: str, *, status: int = 403, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        if status == 401:
            self.kind = "unauthorized"


class WrongHost(PynomalyError):
    """The request is for a name that is not this server's: DNS rebinding, or a missing setting."""

    status = 421
    kind = "wrong_host"


class InsecureBinding(PynomalyError):
    """Starting like this would let anyone in, or nobody."""
