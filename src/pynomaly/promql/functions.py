"""Functions of numbers: mathematics, rounding, clamping, dates."""

from collections.abc import Callable

import numpy as np

from pynomaly.model.samples import ValueArray

Elementwise = Callable[[ValueArray], ValueArray]


def go_max(a: ValueArray, b: ValueArray) -> ValueArray:
    """Go's ``math.Max``: NaN if either is, unless either is +Inf."""
    infinite = np.isposinf(a) | np.isposinf(b)
    return np.where(infinite, np.inf, np.maximum(a, b))


def go_min(a: ValueArray, b: ValueArray) -> ValueArray:
    """Go's ``math.Min``: NaN if either is, unless either is -Inf."""
    infinite = np.isneginf(a) | np.isneginf(b)
    return np.where(infinite, -np.inf, np.minimum(a, b))


def clamp(values: ValueArray, low: ValueArray, high: ValueArray) -> ValueArray:
    """Values no less than ``low`` and no more than ``high`` (both ``[steps]``)."""
    return go_max(low, go_min(high, values))


def rounded(values: ValueArray, to: ValueArray) -> ValueArray:
    """The nearest multiple of ``to`` (``[steps]``); halves go up."""
    inverse = 1.0 / to
    return np.floor(values * inverse + 0.5) / inverse


def _sign(values: ValueArray) -> ValueArray:
    return np.where(values < 0, -1.0, np.where(values > 0, 1.0, values))


MATH: dict[str, Elementwise] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": lambda values: values * 180 / np.pi,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": lambda values: values * np.pi / 180,
    "sgn": _sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
"""Functions of one number."""


def _seconds(values: ValueArray) -> "np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]":
    return np.trunc(values).astype(np.int64).astype("datetime64[s]")


def _since(values: ValueArray, unit: str, within: str) -> ValueArray:
    """How many ``unit``s have passed since the beginning of the ``within`` of a time."""
    times = _seconds(values)
    begun = times.astype(f"datetime64[{within}]").astype(f"datetime64[{unit}]")
    passed: ValueArray = (times.astype(f"datetime64[{unit}]") - begun).astype(np.float64)
    return passed


def _year(values: ValueArray) -> ValueArray:
    return _seconds(values).astype("datetime64[Y]").astype(np.float64) + 1970


def _day_of_week(values: ValueArray) -> ValueArray:
    days = _seconds(values).astype("datetime64[D]").astype(np.int64)
    return ((days + 4) % 7).astype(np.float64)  # the epoch was a Thursday


def _days_in_month(values: ValueArray) -> ValueArray:
    month = _seconds(values).astype("datetime64[M]")
    next_month = (month + 1).astype("datetime64[D]")
    days: ValueArray = (next_month - month.astype("datetime64[D]")).astype(np.float64)
    return days


_DATES: dict[str, Elementwise] = {
    "day_of_month": lambda values: _since(values, "D", "M") + 1,
    "day_of_week": _day_of_week,
    "day_of_year": lambda values: _since(values, "D", "Y") + 1,
    "days_in_month": _days_in_month,
    "hour": lambda values: _since(values, "h", "D"),
    "minute": lambda values: _since(values, "m", "h"),
    "month": lambda values: _since(values, "M", "Y") + 1,
    "year": _year,
}


def _of_finite(function: Elementwise) -> Elementwise:
    def compute(values: ValueArray) -> ValueArray:
        usable = np.abs(values) < 2.0**53  # false for NaN
        return np.where(usable, function(np.where(usable, values, 0.0)), np.nan)

    return compute


DATES = {name: _of_finite(function) for name, function in _DATES.items()}
"""Functions of a time in seconds since the epoch, in UTC; NaN for what is not a time."""
