"""The two references that annotations and labels may hold: ``$value`` and ``$labels.x``.

Everything else in ``{{ … }}`` is kept as it stands.
"""

import math
import re

import numpy as np

from pynomaly.model.labels import Labels

_REFERENCE = re.compile(
    r"\{\{-?\s*(?:(?P<value>\$value|\.Value)|(?:\$labels|\.Labels)\.(?P<label>[a-zA-Z_]\w*))\s*-?\}\}"
)


def expand(text: str, labels: Labels, value: float) -> str:
    """Replace the references that are known; a label that is absent is empty.

    >>> expand("{{ $labels.job }} is at {{ $value }} {{ humanize 1 }}", Labels({"job": "a"}), 0.5)
    'a is at 0.5 {{ humanize 1 }}'
    """

    def replacement(found: re.Match[str]) -> str:
        name = found["label"]
        return labels.get(name, "") if name else format_go(value)

    return _REFERENCE.sub(replacement, text) if "{{" in text else text


def format_go(value: float) -> str:
    """A float as Go's ``fmt`` prints it: shortest, with an exponent below 1e-4 and from 1e6 on.

    >>> format_go(1234567.0), format_go(123456.0), format_go(1e-5), format_go(0.5)
    ('1.234567e+06', '123456', '1e-05', '0.5')
    """
    if value and math.isfinite(value) and not 1e-4 <= abs(value) < 1e6:
        return format_scientific(value)
    return _special(value) or np.format_float_positional(value, trim="-")


def format_scientific(value: float) -> str:
    """A float as Prometheus's API shows the value of an alert.

    >>> format_scientific(1.0), format_scientific(0.25)
    ('1e+00', '2.5e-01')
    """
    return _special(value) or np.format_float_scientific(value, trim="-", exp_digits=2)


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else ""
