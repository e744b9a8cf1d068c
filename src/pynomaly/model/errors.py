"""The base of every error that a person or a client may see."""


class PynomalyError(Exception):
    """An error that knows how it is answered.

    ``status`` is the HTTP status, ``kind`` the word that machines read (Prometheus's
    ``errorType`` where its API is spoken), ``hint`` what to do next, if that is known.
    Domain errors derive from it beside their code.
    """

    status: int = 500
    kind: str = "internal"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class BadInput(PynomalyError):
    """What was sent cannot be understood; nothing of it was used."""

    status = 400
    kind = "bad_data"
