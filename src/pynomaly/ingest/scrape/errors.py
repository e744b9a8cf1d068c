"""Why a scrape failed, in words for the target's ``lastError``."""

from pynomaly.model.errors import PynomalyError


class ScrapeError(PynomalyError):
    """A scrape that gave nothing: unreachable, refused, too large, malformed.

    ``outcome`` is the word by which it is counted, ``scraped`` the number of samples that were
    read all the same.
    """

    status = 502
    kind = "scrape"

    def __init__(self, message: str, *, outcome: str, scraped: int = 0) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.scraped = scraped
