"""Errors as API v2 has them: a JSON text and nothing else."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

from pynomaly.model.errors import PynomalyError


class AlertmanagerRoute(APIRoute):
    """A route whose errors Alertmanager's clients can read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its errors answered as texts."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except PynomalyError as error:
                return json(str(error), error.status)
            response.headers["cache-control"] = "no-store"
            return response

        return answer


def json(data: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(data), status, media_type="application/json")
