"""``/api/v1/admin/tsdb/…``: deleting series, cleaning up after it, and snapshots.

Answers and messages are those of Prometheus 3 (prometheus/prometheus, web/api/v1/api.go), also when
it is switched off, as it is unless the configuration says otherwise. All selectors are read before
anything is deleted, where Prometheus deletes by the first and then complains of the second.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from fastapi import APIRouter, Depends, Request, Response

from pynomaly.access.asgi import audit_detail, require
from pynomaly.access.policy import Action
from pynomaly.api.encoding import encode_data
from pynomaly.api.prometheus.parameters import MAX_TIME_MS, MIN_TIME_MS, Form, InvalidParameter
from pynomaly.api.prometheus.readiness import ready_only
from pynomaly.api.prometheus.selections import parse_any_selection
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.model.matcher import Matcher

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class AdminDisabled(PynomalyError):
    """Administration by the API is not switched on."""

    status = 500  # as Prometheus answers
    kind = "unavailable"


class Administration(Protocol):
    """What is administrated. Called on the event loop."""

    async def delete(
        self, selections: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> int:
        """Delete the samples of selected series in a closed range; returns how many series."""
        ...

    async def clean_tombstones(self) -> None:
        """Take what was deleted off the disk."""
        ...

    async def take_snapshot(self, *, skip_head: bool) -> Path:
        """Copy everything aside; returns the folder."""
        ...


def router(
    administration: Administration, ready: Callable[[], bool], *, enabled: bool
) -> APIRouter:
    """The routes under ``/api/v1/admin/tsdb``; each refuses unless ``enabled``."""
    api = _Api(administration, enabled=enabled)
    routes = APIRouter(
        prefix="/api/v1/admin/tsdb",
        tags=["prometheus"],
        dependencies=[Depends(require(Action.ADMIN)), Depends(ready_only(ready))],
    )
    both = ["POST", "PUT"]
    routes.add_api_route("/delete_series", api.delete_series, methods=both)
    routes.add_api_route("/clean_tombstones", api.clean_tombstones, methods=both)
    routes.add_api_route("/snapshot", api.snapshot, methods=both)
    return routes


class _Api:
    def __init__(self, administration: Administration, *, enabled: bool) -> None:
        self._administration = administration
        self._enabled = enabled

    async def delete_series(self, request: Request) -> Response:
        self._refuse_unless_enabled()
        form = await Form.of(request)
        texts = form.all("match[]")
        if not texts:
            raise BadInput("no match[] parameter provided")
        start, end = form.time_or("start", MIN_TIME_MS), form.time_or("end", MAX_TIME_MS)
        selections = [_selection(text) for text in texts]
        audit_detail(request, match=texts, start=form.get("start"), end=form.get("end"))
        series = await self._administration.delete(selections, start, end)
        audit_detail(request, series=series)
        return Response(status_code=204)

    async def clean_tombstones(self) -> Response:
        self._refuse_unless_enabled()
        await self._administration.clean_tombstones()
        return Response(status_code=204)

    async def snapshot(self, request: Request) -> Response:
        self._refuse_unless_enabled()
        skip_head = _boolean("skip_head", (await Form.of(request)).get("skip_head"))
        folder = await self._administration.take_snapshot(skip_head=skip_head)
        audit_detail(request, snapshot=folder.name)
        return Response(encode_data({"name": folder.name}), media_type="application/json")

    def _refuse_unless_enabled(self) -> None:
        if not self._enabled:
            raise AdminDisabled("admin APIs disabled")


def _selection(text: str) -> list[Matcher]:
    try:
        return parse_any_selection(text)
    except PynomalyError as error:
        raise InvalidParameter("match[]", error.message) from error


def _boolean(name: str, text: str) -> bool:
    """As Go's ``strconv.ParseBool``; empty is false."""
    if text and text not in _TRUE | _FALSE:
        raise InvalidParameter(
            name,
            f'unable to parse boolean: strconv.ParseBool: parsing "{text}": invalid syntax',
        )
    return text in _TRUE
