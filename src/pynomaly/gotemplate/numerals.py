"""Numbers as Go's strconv writes them."""

import math
from decimal import Decimal

_SCIENTIFIC = 6  # from this exponent on the shortest %g is in %e


def format_float(value: float, verb: str = "g", precision: int = -1) -> str:
    """A float in one of Go's forms ``e E f F g G x X``; precision -1 is the shortest exact one.

    >>> format_float(1234567.0), format_float(0.5), format_float(12.345, "f", 2)
    ('1.234567e+06', '0.5', '12.35')
    >>> format_float(1e-5), format_float(float("inf")), format_float(1.5, "x")
    ('1e-05', '+Inf', '0x1.8p+00')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    lower = verb.lower()
    if lower == "x":
        text = _hexadecimal(value, precision)
    elif precision >= 0:
        text = f"{value:.{max(precision, 1) if lower == 'g' else precision}{lower}}"
    else:
        text = _shortest(value, lower)
    return text.upper() if verb in "EGX" else text


def _shortest(value: float, verb: str) -> str:
    sign, digits, point = _decimal(value)
    exponent = point - 1
    if verb == "e" or (verb == "g" and not -4 <= exponent < _SCIENTIFIC):
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}" if digits != "0" else f"{sign}0"
    whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
    return sign + whole + (f".{fraction}" if fraction else "")


def _decimal(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits, and where the point is: 0.digits times ten to that power."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if value == 0:
        return sign, "0", 1
    parts = Decimal(repr(abs(value))).as_tuple()
    digits = "".join(map(str, parts.digits))
    assert isinstance(parts.exponent, int)
    point = len(digits) + parts.exponent
    return sign, digits.rstrip("0") or "0", point


def _hexadecimal(value: float, precision: int) -> str:
    if value == 0:
        zeros = "." + "0" * precision if precision > 0 else ""
        return ("-" if math.copysign(1.0, value) < 0 else "") + f"0x0{zeros}p+00"
    fraction, exponent = math.frexp(abs(value))
    mantissa = int(fraction * 2**53)  # 1.xxx, 52 bits after the point
    exponent -= 1
    if 0 <= precision < 13:
        unit = 1 << (52 - 4 * precision)
        mantissa = round(mantissa / unit) * unit
        if mantissa >= 1 << 53:
            mantissa, exponent = mantissa >> 1, exponent + 1
    digits = f"{mantissa & ((1 << 52) - 1):013x}"
    digits = digits.rstrip("0") if precision < 0 else digits.ljust(precision, "0")[:precision]
    sign = "-" if value < 0 else ""
    return f"{sign}0x1{'.' + digits if digits else ''}p{exponent:+03d}"


def format_integer(value: int, verb: str) -> str:
    """The digits of an integer without its sign, for the verbs ``d b o O x X``."""
    return f"{abs(value):{verb.replace('O', 'o')}}"
