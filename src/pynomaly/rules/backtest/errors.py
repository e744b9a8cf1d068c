"""What can be wrong with a backtest."""

from pynomaly.model.errors import BadInput, PynomalyError


class BadBacktest(BadInput):
    """What is asked for does not fit the rules; nothing was evaluated."""


class BacktestFailed(PynomalyError):
    """A rule cannot be evaluated over this range."""

    status = 422
    kind = "execution"


class NoData(BacktestFailed):
    """Nothing is stored, in the range, of what the rule reads."""


class BacktestTimeout(PynomalyError):
    """It took longer than ``rules.backtest.timeout``."""

    status = 503
    kind = "timeout"


class TooManyBacktests(PynomalyError):
    """As many as ``rules.backtest.max_concurrent`` are under way."""

    status = 429
    kind = "too_many_requests"
