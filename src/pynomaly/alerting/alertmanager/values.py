"""Values of ``alertmanager.yml`` that several sections hold."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, InstanceOf

from pynomaly.alerting.alertmanager.matchers import new_matcher, parse_matchers
from pynomaly.model.matcher import Matcher, MatchOp


def _label_name(name: str) -> str:
    if not name:
        raise ValueError("a label's name is expected, found an empty text")
    return name


def _classic_label_name(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise ValueError(
            f"{name!r} is not a label's name of letters, digits and _; other names need `matchers`"
        )
    return name


def _regex(pattern: str) -> str:
    new_matcher("", MatchOp.REGEX, pattern)
    return pattern


def _matchers(line: object) -> object:
    return parse_matchers(line) if isinstance(line, str) else line


LabelName = Annotated[str, AfterValidator(_label_name)]
ClassicLabelName = Annotated[str, AfterValidator(_classic_label_name)]
Regex = Annotated[str, AfterValidator(_regex)]

MatchersLine = Annotated[tuple[InstanceOf[Matcher], ...], BeforeValidator(_matchers)]
"""One entry of a list of ``matchers``: it may hold several, with commas between."""
