"""What every log line says beside what its author wrote."""

import json
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

from pynomaly.observability.logs.correlation import correlation_id

Event = MutableMapping[str, Any]
Processor = Callable[[Any, str, Event], Event]


def add_trace(logger: Any, method: str, event: Event) -> Event:
    """``trace_id``, ``span_id`` and ``trace_flags`` of the current span, in W3C's hexadecimal."""
    trace = sys.modules.get("opentelemetry.trace")  # without it there can be no span
    if trace is not None:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = f"{context.trace_id:032x}"
            event["span_id"] = f"{context.span_id:016x}"
            event["trace_flags"] = f"{context.trace_flags:02x}"
    return event


def add_correlation(logger: Any, method: str, event: Event) -> Event:
    """``correlation_id`` of the current request or job."""
    current = correlation_id()
    if current is not None:
        event.setdefault("correlation_id", current)
    return event


def add_constants(**constants: str) -> Processor:
    """Fields that every line has, such as ``service``; what an author wrote wins."""

    def add(logger: Any, method: str, event: Event) -> Event:
        for name, value in constants.items():
            event.setdefault(name, value)
        return event

    return add


def merge_rendered(logger: Any, method: str, event: Event) -> Event:
    """Take apart an event that is a JSON object already.

    So do applications that configure structlog as the guides show, with ``JSONRenderer`` as its
    last processor: their line arrives as the text of a standard library's record.
    """
    text = event.get("event")
    if isinstance(text, str) and text.startswith("{") and text.endswith("}"):
        try:
            fields = json.loads(text)
        except ValueError:
            return event
        event.update(fields)
        if "event" not in fields:
            event["event"] = ""
    return event


def drop_colours(logger: Any, method: str, event: Event) -> Event:
    """Drop uvicorn's second, coloured wording of its messages."""
    event.pop("color_message", None)
    return event
