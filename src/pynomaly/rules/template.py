"""Expands the templates in labels and annotations of alerts, as Prometheus does.

A template may ask queries. Expansion itself is synchronous and asks nobody: a query whose answer
is not there yet stops it, the answer is fetched without blocking, and it is expanded again. So no
thread waits for the loop, and what is asked by many alerts is asked once.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import ClassVar

from prometheus_client import Counter

from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.numerals import format_float
from pynomaly.gotemplate.template import Template, Templates
from pynomaly.gotemplate.types import GoType, Kind, StringMap
from pynomaly.model.errors import PynomalyError
from pynomaly.model.labels import Labels
from pynomaly.observability import REGISTRY
from pynomaly.promql.contract import Matrix, Querier, QueryResult, Scalar
from pynomaly.rules.template_functions import FUNCTIONS, Expansion, Sample, Unanswered

log = logging.getLogger(__name__)

_FAILURES = Counter(
    "pynomaly_rule_template_failures",
    "Templates of alerts that could not be expanded; the annotation says why.",
    registry=REGISTRY,
)

_DEFINED = (
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}"
)
_BASE = Templates(FUNCTIONS, missing_key="zero")
_MOST_QUERIES = 100  # of one round of expansions
_INLINE = 20  # so many cheap expansions are done before a thread is worth its while


@dataclass(frozen=True, slots=True)
class Outside:
    """What templates see besides the alert."""

    external_labels: Mapping[str, str] = field(default_factory=dict)
    external_url: str = ""


NOWHERE = Outside()


@dataclass(frozen=True, slots=True)
class Text:
    """A text to expand for the series of an alert."""

    template: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class _Data:
    labels: StringMap
    external_labels: StringMap
    external_url: str
    value: float

    go_type: ClassVar[GoType] = GoType(
        "struct { Labels map[string]string; ExternalLabels map[string]string; "
        "ExternalURL string; Value interface {} }",
        Kind.STRUCT,
        fields={
            "Labels": attrgetter("labels"),
            "ExternalLabels": attrgetter("external_labels"),
            "ExternalURL": attrgetter("external_url"),
            "Value": attrgetter("value"),
        },
    )


def template_fault(alert: str, text: str) -> str:
    """Why a text is no template, or the empty string."""
    found = _parsed(f"__alert_{alert}", text)
    return str(found) if isinstance(found, TemplateError) else ""


async def expand_all(
    alert: str,
    texts: Sequence[Text],
    querier: Querier,
    now: float,
    outside: Outside = NOWHERE,
) -> list[str]:
    """Expand texts of the rule ``alert`` for its evaluation at ``now`` (epoch seconds).

    A template that fails gives ``<error expanding template: …>``, as in Prometheus.
    """
    answers: dict[str, Sequence[Sample] | str] = {}
    expanded: list[str | Unanswered] = [text.template for text in texts]
    waiting = [index for index, text in enumerate(texts) if "{{" in text.template]
    context = Expansion(now, outside.external_url, answers)
    while waiting:
        some = [texts[index] for index in waiting]
        if len(some) <= _INLINE and all(map(_cheap, some)):
            results = _expand_each(alert, some, context, outside)
        else:
            results = await asyncio.to_thread(_expand_each, alert, some, context, outside)
        for index, result in zip(waiting, results, strict=True):
            expanded[index] = result
        waiting = [index for index in waiting if isinstance(expanded[index], Unanswered)]
        asked = {str(expanded[index]) for index in waiting}
        await _answer(sorted(asked - answers.keys()), answers, querier, now)
    return [str(text) for text in expanded]


def expand(alert: str, text: str, labels: Labels, value: float, outside: Outside = NOWHERE) -> str:
    """Expand a text that asks no queries; one that does gives the error that says so."""
    if "{{" not in text:
        return text
    result = _expand_one(alert, Text(text, labels, value), Expansion(0.0), outside)
    if isinstance(result, Unanswered):
        return _failure(f"nobody to answer the query {result.expr}")
    return result


def _cheap(text: Text) -> bool:
    """Whether an expansion takes time in proportion to its text: it has no loops."""
    return not any(word in text.template for word in ("range", "template", "block", "query"))


def _expand_each(
    alert: str, texts: Sequence[Text], context: Expansion, outside: Outside
) -> list[str | Unanswered]:
    return [_expand_one(alert, text, context, outside) for text in texts]


def _expand_one(alert: str, text: Text, context: Expansion, outside: Outside) -> str | Unanswered:
    template = _parsed(f"__alert_{alert}", text.template)
    if isinstance(template, TemplateError):
        return _failure(f"error parsing template __alert_{alert}: {template}")
    data = _Data(
        StringMap(text.labels),
        StringMap(outside.external_labels),
        outside.external_url,
        text.value,
    )
    try:
        return template.execute(data, context)
    except Unanswered as unanswered:
        return unanswered
    except TemplateError as error:
        return _failure(f"error executing template __alert_{alert}: {error}")


def _failure(why: str) -> str:
    _FAILURES.inc()
    log.debug("expanding a template of an alert failed: %s", why)
    return f"<error expanding template: {why}>"


@lru_cache(maxsize=20_000)
def _parsed(name: str, text: str) -> Template | TemplateError:
    try:
        return _BASE.copy().parse(name, _DEFINED + text)
    except TemplateError as error:
        return error


async def _answer(
    exprs: Sequence[str],
    answers: dict[str, Sequence[Sample] | str],
    querier: Querier,
    now: float,
) -> None:
    for expr in exprs:
        if len(answers) >= _MOST_QUERIES:
            answers[expr] = f"the templates of the rule ask more than {_MOST_QUERIES} queries"
            continue
        try:
            answers[expr] = _samples(await querier.instant(expr, round(now * 1000)))
        except PynomalyError as error:
            answers[expr] = str(error)


def _samples(answer: QueryResult) -> Sequence[Sample] | str:
    match answer.value:
        case Matrix() as found:
            present, values = found.present[:, 0].tolist(), found.values[:, 0].tolist()
            rows = zip(found.labels, present, values, strict=True)
            return [Sample(StringMap(labels), value) for labels, there, value in rows if there]
        case Scalar() as found:
            return [Sample(StringMap(), float(found.values[0]))]
    return "query result is not a vector or scalar"


def format_scientific(value: float) -> str:
    """A float as Prometheus's API shows the value of an alert.

    >>> format_scientific(1.0), format_scientific(0.25)
    ('1e+00', '2.5e-01')
    """
    return format_float(value, "e")
