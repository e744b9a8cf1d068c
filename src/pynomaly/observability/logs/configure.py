"""``configure_logging``: structlog and the standard library's loggers in one stream of lines."""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TextIO

import structlog

from pynomaly.observability.logs.correlation import carry_context_into_threads
from pynomaly.observability.logs.handlers import is_of_sdk
from pynomaly.observability.logs.processors import (
    Event,
    Processor,
    add_constants,
    add_correlation,
    add_trace,
    drop_colours,
    merge_rendered,
)
from pynomaly.observability.logs.redaction import Redaction
from pynomaly.observability.resource import environment_name, service_name

Rendering = Literal["auto", "json", "console"]
_LEVELS = ("DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL")


class EventFormatter(logging.Formatter):
    """Renders structlog's events and plain records alike."""

    def __init__(
        self, foreign: Sequence[Processor], last: Sequence[Processor], render: Callable[..., str]
    ) -> None:
        super().__init__()
        self._foreign, self._last, self._render = foreign, last, render

    def format(self, record: logging.LogRecord) -> str:
        """One line (or more, for people) of the record."""
        name = record.levelname.lower()
        said: Any = record.msg
        from_structlog = hasattr(record, "_logger") and isinstance(said, dict)
        event = said.copy() if from_structlog else self._foreign_event(record, name)
        for process in self._last:
            event = process(None, name, event)
        return self._render(None, name, event)

    def _foreign_event(self, record: logging.LogRecord, name: str) -> Any:
        event: Any = {"event": record.getMessage(), "_record": record}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        if record.stack_info:
            event["stack"] = record.stack_info
        for process in self._foreign:
            event = process(None, name, event)
        event.pop("_record")
        return event


class SdkHandler(logging.StreamHandler[TextIO]):
    """The handler that ``configure_logging`` puts on the root logger."""

    of_sdk = True


def configure_logging(
    level: str | int = "INFO",
    enable_correlation: bool = True,
    *,
    service: str | None = None,
    environment: str | None = None,
    render: Rendering = "auto",
    redact: Iterable[str] | None = (),
    stream: TextIO | None = None,
    deliver_to: Sequence[logging.Handler] = (),
) -> None:
    """Log structlog's events and the standard library's records as one stream of JSON lines.

    Each line has ``@timestamp`` (UTC), ``level``, ``logger``, ``event``, ``service``,
    ``environment``, and within a span ``trace_id``, ``span_id`` and ``trace_flags``. Call it once,
    early; calling it again replaces what it set up before.

    - level: a name such as ``"INFO"``, in any case, or a number.
    - enable_correlation: add ``correlation_id``, and carry it into threads.
    - service, environment: default to ``OTEL_SERVICE_NAME`` and to ``deployment.environment`` in
      ``OTEL_RESOURCE_ATTRIBUTES``.
    - render: ``json``; ``console``, for people; ``auto`` takes console in a terminal.
    - redact: further keys whose values are secrets, beside those that ``Redaction`` knows; None
      turns redaction off.
    - stream: where lines go; the standard error output by default.
    - deliver_to: handlers that deliver without blocking: ``logs_to_file``, ``logs_to_otlp``.

    Raises ValueError for an unknown level or rendering.
    """
    number = _level(level)
    stream = stream or sys.stderr
    common = _common(enable_correlation)
    last = _last(service, environment, redact)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *common,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        context_class=dict,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    foreign = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        drop_colours,
        *common,
        merge_rendered,
    ]
    lines = EventFormatter(foreign, [structlog.processors.format_exc_info, *last], render_json)
    handler = SdkHandler(stream)
    handler.setFormatter(lines)
    if _for_people(render, stream):
        console = structlog.dev.ConsoleRenderer(timestamp_key="@timestamp")
        handler.setFormatter(EventFormatter(foreign, last, console))
    for delivery in deliver_to:
        delivery.setFormatter(lines)
    _take_over([handler, *deliver_to], number)
    if enable_correlation:
        carry_context_into_threads()


def _level(level: str | int) -> int:
    if isinstance(level, int):
        return level
    if level.upper() not in _LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join(_LEVELS)}")
    return int(getattr(logging, level.upper()))


def _for_people(render: str, stream: TextIO) -> bool:
    if render not in ("auto", "json", "console"):
        raise ValueError(f"render {render!r} is none of auto, json, console")
    return render == "console" or (render == "auto" and stream.isatty())


def _common(correlated: bool) -> list[Any]:
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="@timestamp")
    return [stamp, add_trace, *([add_correlation] if correlated else [])]


def _last(
    service: str | None, environment: str | None, redact: Iterable[str] | None
) -> list[Processor]:
    constants = {"service": service_name(service), "environment": environment_name(environment)}
    redaction = [] if redact is None else [Redaction(redact)]
    return [add_constants(**{k: v for k, v in constants.items() if v}), *redaction]


# Made once: json.dumps would make an encoder for each line. In ASCII, which every stream can take.
_encode = json.JSONEncoder(default=repr, separators=(",", ":")).encode


def render_json(logger: Any, method: str, event: Event) -> str:
    """The event as one line; what JSON does not know is shown by its ``repr``."""
    try:
        return _encode(event)
    except (TypeError, ValueError, RecursionError):
        # A key that is no text, or a value that holds itself.
        return _encode({str(key): _plain(value) for key, value in event.items()})


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | None) else repr(value)


def _take_over(handlers: Sequence[logging.Handler], level: int) -> None:
    """Have every record pass the root's handlers, once."""
    root = logging.getLogger()
    for held in list(root.handlers):
        if is_of_sdk(held):
            root.removeHandler(held)
            if held not in handlers:
                held.close()
    for logger in [root, *logging.Logger.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            _drop_console_handlers(logger)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)


def _drop_console_handlers(logger: logging.Logger) -> None:
    """Servers such as uvicorn print by handlers of their own; their lines come through the root."""
    terminal = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    plain = [h for h in logger.handlers if type(h) is logging.StreamHandler]
    console = [handler for handler in plain if handler.stream in terminal]
    for handler in console:
        logger.removeHandler(handler)
    if console and logger.name != "root":
        logger.propagate = True
