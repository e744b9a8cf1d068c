"""Times and matchers in the JSON of Alertmanager's API v2, whichever side of it we are."""

from datetime import UTC, datetime
from typing import Any

from pynomaly.alerting.alertmanager.matchers import new_matcher
from pynomaly.model.errors import BadInput
from pynomaly.model.matcher import Matcher, MatchOp

_OPS = {
    (True, False): MatchOp.EQUAL,
    (False, False): MatchOp.NOT_EQUAL,
    (True, True): MatchOp.REGEX,
    (False, True): MatchOp.NOT_REGEX,
}
_FLAGS = {op: flags for flags, op in _OPS.items()}


def moment(at: float) -> str:
    """Epoch seconds as API v2 writes times: UTC with milliseconds.

    >>> moment(1700000000.1234)
    '2023-11-14T22:13:20.123Z'
    """
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def show_matcher(matcher: Matcher) -> dict[str, Any]:
    """A ``matcher``."""
    is_equal, is_regex = _FLAGS[matcher.op]
    return {
        "isEqual": is_equal,
        "isRegex": is_regex,
        "name": matcher.name,
        "value": matcher.value,
    }


def read_matcher(document: object) -> Matcher:
    """The matcher of a ``matcher``; without ``isEqual`` it is one of equality.

    Raises:
        BadInput: it is none.
    """
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise BadInput("a matcher is an object with name, value and isRegex")
    value = document.get("value")
    if not isinstance(value, str):
        raise BadInput(f"the value of the matcher {document['name']!r} is not a text")
    is_equal = document.get("isEqual")
    op = _OPS[is_equal is not False, bool(document.get("isRegex"))]
    return new_matcher(document["name"], op, value)
