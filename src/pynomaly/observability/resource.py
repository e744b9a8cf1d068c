"""Who is speaking: the service's name and environment, as OpenTelemetry's variables say it."""

import os
import sys
from pathlib import Path
from urllib.parse import unquote

_configured: dict[str, str] = {}


def resource_attributes() -> dict[str, str]:
    """``OTEL_RESOURCE_ATTRIBUTES``: comma-separated ``key=value``, percent-encoded."""
    found = {}
    for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, equals, value = pair.partition("=")
        if equals and key.strip():
            found[key.strip()] = unquote(value.strip())
    return found


def service_name(given: str | None = None) -> str:
    """The name given, else ``OTEL_SERVICE_NAME``, else the resource's, else the program's name."""
    if given:
        _configured["service"] = given
    named = _configured.get("service") or os.environ.get("OTEL_SERVICE_NAME")
    return named or resource_attributes().get("service.name") or _program()


def environment_name(given: str | None = None) -> str:
    """The environment given, else the resource's ``deployment.environment.name``, else ""."""
    if given:
        _configured["environment"] = given
    attributes = resource_attributes()
    return (
        _configured.get("environment")
        or attributes.get("deployment.environment.name")
        or attributes.get("deployment.environment")
        or ""
    )


def _program() -> str:
    return Path(sys.argv[0] or "python").stem or "python"
