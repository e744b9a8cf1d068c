"""A check for tests: no route without a guard."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

from pynomaly.access.asgi import Guarded, Require


def unguarded_routes(app: FastAPI) -> list[str]:
    """The routes, sockets and mounts of an assembled application that ask nobody.

    Each as ``GET,HEAD /path``, ``WS /path`` or ``MOUNT /path``, sorted. FastAPI's own pages
    (``/docs``, ``/openapi.json``) are among them unless they are switched off.
    """
    return sorted(_unguarded(app.routes, ""))


def _unguarded(routes: Sequence[BaseRoute], prefix: str) -> Iterator[str]:
    for context in iter_route_contexts(routes):
        route: Any = context.original_route
        if isinstance(route, Mount):
            yield from _unguarded_mount(route, prefix)
        elif not _asks(getattr(context, "dependant", None)) and not isinstance(
            getattr(context, "app", None), Guarded
        ):
            methods = getattr(context, "methods", None)
            yield f"{','.join(sorted(methods)) if methods else 'WS'} {prefix}{context.path}"


def _unguarded_mount(mount: Mount, prefix: str) -> Iterator[str]:
    if isinstance(mount.app, Guarded):
        return
    inner = mount.routes
    if inner:
        yield from _unguarded(inner, prefix + mount.path)
    else:
        yield f"MOUNT {prefix}{mount.path}"


def _asks(dependant: Any) -> bool:
    if dependant is None:
        return False
    return isinstance(dependant.call, Require) or any(_asks(d) for d in dependant.dependencies)
