"""Matchers of events as text: ``service="checkout"``, and without quotes for command lines."""

import re
from collections.abc import Iterable

from pynomaly.calendar.errors import BadEvent
from pynomaly.model.errors import PynomalyError
from pynomaly.model.matcher import Matcher, MatchOp

_FORM = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_QUOTED = {q: re.compile(rf"{q}((?:[^{q}\\]|\\.)*){q}", re.DOTALL) for q in "\"'"}


def parse_matcher(text: str) -> Matcher:
    """One matcher with a value in quotes or without.

    >>> str(parse_matcher("service=checkout")), str(parse_matcher('env =~ "prod|stage"'))
    ('service="checkout"', 'env=~"prod|stage"')

    Raises:
        BadEvent: it is none; or its value is not RE2 where it should be.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadEvent(f'{text!r} is not a matcher such as service=checkout or env=~"prod|stage"')
    name, op, value = found.groups()
    return new_matcher(name, op, _value(text, value))


def new_matcher(name: str, op: str, value: str) -> Matcher:
    """A matcher of these three.

    Raises:
        BadEvent: there is no such operator; or the value is not RE2 where it should be.
    """
    try:
        return Matcher(name, MatchOp(op), value)
    except ValueError:
        raise BadEvent(f"{op!r} does not compare labels; =, !=, =~ and !~ do") from None
    except PynomalyError as error:
        raise BadEvent(error.message) from None


def parse_matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Each of them.

    Raises:
        BadEvent: one of them is none.
    """
    return tuple(parse_matcher(text) for text in texts)


def _value(text: str, value: str) -> str:
    quote = value[:1]
    if quote not in ('"', "'"):
        return value
    inner = _QUOTED[quote].fullmatch(value)
    if inner is None:
        raise BadEvent(f"{text!r}: the quotes of the value do not close as they open")
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], inner[1], flags=re.DOTALL)
