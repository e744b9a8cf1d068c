"""``TracingService``: spans around functions of every sort, classes and blocks."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast, overload

from opentelemetry import trace
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

F = TypeVar("F", bound=Callable[..., Any])
_Start = Callable[[], Span]


class TracingService:
    """Spans of an application's own functions.

    It needs no instance: ``@TracingService.trace_function("model_inference")``. Without
    ``setup_tracing`` the spans cost little and go nowhere.
    """

    @overload
    @staticmethod
    def trace_function(name: F) -> F: ...
    @overload
    @staticmethod
    def trace_function(
        name: str | None = None, attributes: Mapping[str, AttributeValue] | None = None
    ) -> Callable[[F], F]: ...
    @staticmethod
    def trace_function(
        name: Any = None, attributes: Mapping[str, AttributeValue] | None = None
    ) -> Any:
        """Decorate a function, coroutine function, generator, asynchronous generator, or class.

        Each call is a span, named ``name`` or by the function; an exception is recorded and goes
        on. A generator's span lasts until it ends, and is current only while its own code runs.
        Of a class, each public method is traced as ``name.method``.
        """
        if callable(name):
            return _traced(name, name.__qualname__, {})
        return lambda function: _traced(function, name or function.__qualname__, attributes or {})

    @staticmethod
    def trace(name: str, **attributes: AttributeValue) -> AbstractContextManager[Span]:
        """A span around a block: ``with TracingService.trace("load", rows=3) as span:``."""
        return _tracer().start_as_current_span(name, attributes=attributes)

    @staticmethod
    def current_trace_id() -> str | None:
        """The current trace's id, 32 hexadecimal digits, or None outside a trace."""
        context = trace.get_current_span().get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else None


def _tracer() -> trace.Tracer:
    return trace.get_tracer("pynomaly.observability")


def _traced(function: F, name: str, attributes: Mapping[str, AttributeValue]) -> F:
    if inspect.isclass(function):
        return cast(F, _traced_class(function, name, attributes))

    def start() -> Span:
        return _tracer().start_span(name, attributes=attributes)

    if inspect.isasyncgenfunction(function):
        return cast(F, _traced_async_generator(function, start))
    if inspect.isgeneratorfunction(function):
        return cast(F, _traced_generator(function, start))
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with _tracer().start_as_current_span(name, attributes=attributes):
                return await function(*args, **kwargs)

        return cast(F, coroutine)

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with _tracer().start_as_current_span(name, attributes=attributes):
            return function(*args, **kwargs)

    return cast(F, plain)


def _traced_class(cls: type, name: str, attributes: Mapping[str, AttributeValue]) -> type:
    for method, function in list(vars(cls).items()):
        if inspect.isfunction(function) and (method == "__call__" or not method.startswith("_")):
            setattr(cls, method, _traced(function, f"{name}.{method}", attributes))
    return cls


def _traced_generator(function: Callable[..., Any], start: _Start) -> Callable[..., Any]:
    @functools.wraps(function)
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        span = start()
        inner = function(*args, **kwargs)
        step: Callable[[], Any] = functools.partial(next, inner)
        try:
            while True:
                # The span is current only while the inner code runs, never in the reader's.
                with trace.use_span(span, end_on_exit=False):
                    try:
                        item = step()
                    except StopIteration as stop:
                        return stop.value
                try:
                    step = functools.partial(inner.send, (yield item))
                except GeneratorExit:
                    with trace.use_span(span, end_on_exit=False):
                        inner.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - handed to the inner generator
                    step = functools.partial(inner.throw, thrown)
        finally:
            span.end()

    return generator


def _traced_async_generator(function: Callable[..., Any], start: _Start) -> Callable[..., Any]:
    @functools.wraps(function)
    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        span = start()
        inner = function(*args, **kwargs)
        step: Callable[[], Any] = inner.__anext__
        try:
            while True:
                with trace.use_span(span, end_on_exit=False):
                    try:
                        item = await step()
                    except StopAsyncIteration:
                        return
                try:
                    step = functools.partial(inner.asend, (yield item))
                except GeneratorExit:
                    with trace.use_span(span, end_on_exit=False):
                        await inner.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - handed to the inner generator
                    step = functools.partial(inner.athrow, thrown)
        finally:
            span.end()

    return generator
