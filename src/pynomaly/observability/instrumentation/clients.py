"""What an application calls, traced by OpenTelemetry's own instrumentations."""

import importlib
import importlib.util
import logging
from importlib.metadata import version

_log = logging.getLogger("pynomaly.observability")

# Library -> its instrumentation in opentelemetry.instrumentation.
_INSTRUMENTORS = {
    "sqlalchemy": "SQLAlchemyInstrumentor",
    "redis": "RedisInstrumentor",
    "httpx": "HTTPXClientInstrumentor",
    "requests": "RequestsInstrumentor",
}


def instrument_clients() -> list[str]:
    """Trace SQLAlchemy, Redis, httpx and requests, where library and instrumentation are there.

    The instrumentations come with the extra ``instrumentations``. Returns what is traced.
    """
    traced = []
    for library, name in _INSTRUMENTORS.items():
        module = f"opentelemetry.instrumentation.{library}"
        if not (_installed(library) and _installed(module)):
            continue
        instrumentor = getattr(importlib.import_module(module), name)()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(skip_dep_check=_works_all_the_same(library))
        if instrumentor.is_instrumented_by_opentelemetry:
            traced.append(library)
    _log.debug("OpenTelemetry traces the application's use of %s", ", ".join(traced) or "nothing")
    return traced


def _works_all_the_same(library: str) -> bool:
    """Whether we have tested a version that the instrumentation does not list yet."""
    return library == "sqlalchemy" and version(library).startswith("2.1.")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False  # the package that it would lie in is not there
