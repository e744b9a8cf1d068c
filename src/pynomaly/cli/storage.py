"""``pynomaly storage``: asks the running server, or works on a folder that none runs on."""

import asyncio
import json
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import typer

from pynomaly.cli.client import Client, Refused
from pynomaly.cli.options import read_time
from pynomaly.cli.output import out
from pynomaly.model.errors import BadInput

_TIMEOUT = 3600.0  # deleting may have to wait for a merge of many days
_DISABLED = "admin APIs disabled"  # Prometheus's words
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Span = tuple[float | None, float | None]
"""From when to when in epoch seconds; None is without end."""


class _Storage(Protocol):
    """What both can do."""

    def verify(self) -> dict[str, Any]: ...

    def count(self, selector: str, span: Span) -> dict[str, int]: ...

    def delete(self, selector: str, span: Span) -> None: ...

    def snapshot(self, *, skip_head: bool) -> str: ...


def verify(url: str, data_dir: Path | None, *, as_json: bool) -> bool:
    """Print the report of a running server, or of a folder that none runs on; whether sound."""
    with _storage(url, data_dir) as storage:
        report = storage.verify()
    if as_json:
        out.print_json(json.dumps(report))
    else:
        for name, value in report.items():
            out.print(f"{name}: {value}", markup=False)
    return bool(report["sound"])


def delete(
    url: str,
    data_dir: Path | None,
    selector: str,
    *,
    since: str,
    until: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Say how much there is, ask, delete.

    Raises:
        BadInput: nobody can be asked and ``yes`` is not given; or a time or selector is wrong.
        PynomalyError: the server refuses, or the folder cannot be used.
    """
    now = time.time()
    span = (
        read_time("--from", since, now) if since else None,
        read_time("--to", until, now) if until else None,
    )
    with _storage(url, data_dir) as storage:
        found = storage.count(selector, span)
        what = f"{found['samples']:,} samples of {found['series']:,} series"
        if not as_json:
            out.print(f"{selector} names {what}{_between(span)}.", markup=False, soft_wrap=True)
        wanted = bool(found["samples"]) and not dry_run and (yes or _agreed(as_json=as_json))
        if wanted:
            storage.delete(selector, span)
    if as_json:
        out.print_json(json.dumps({**found, "deleted": wanted}))
    elif wanted:
        out.print(f"Deleted {what}.")


def snapshot(url: str, data_dir: Path | None, *, skip_head: bool, as_json: bool) -> None:
    """Copy the store aside, and say where the copy is.

    Raises:
        PynomalyError: the server refuses, or the folder cannot be used.
    """
    with _storage(url, data_dir) as storage:
        name = storage.snapshot(skip_head=skip_head)
    if as_json:
        out.print_json(json.dumps({"name": name}))
    else:
        where = data_dir or "the server's data folder"
        out.print(f"Snapshot {name}, in snapshots of {where}.", markup=False, soft_wrap=True)


def _between(span: Span) -> str:
    since, until = (
        None if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in span
    )
    return (f" from {since}" if since else "") + (f" to {until}" if until else "")


def _agreed(*, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        raise BadInput("Nothing was deleted.", hint="Say --yes to delete, or --dry-run to count.")
    return typer.confirm("Delete them for good?")


@contextmanager
def _storage(url: str, data_dir: Path | None) -> Iterator[_Storage]:
    if data_dir is None:
        yield _Server(Client(url, timeout=_TIMEOUT))
        return
    if not data_dir.is_dir():
        raise BadInput(f"{data_dir} is not a folder.", hint="Name the folder of --data-dir.")
    with _opened(data_dir) as folder:
        yield folder


class _Server:
    """The store of a running server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def verify(self) -> dict[str, Any]:
        report: dict[str, Any] = self._client.get("/api/storage/verify")
        return report

    def count(self, selector: str, span: Span) -> dict[str, int]:
        counts: dict[str, int] = self._client.get("/api/storage/count", _form(selector, span))
        return counts

    def delete(self, selector: str, span: Span) -> None:
        self._administrate("delete_series", _form(selector, span))

    def snapshot(self, *, skip_head: bool) -> str:
        answer = self._administrate("snapshot", {"skip_head": "true"} if skip_head else {})
        return str(answer["data"]["name"])

    def _administrate(self, what: str, form: dict[str, str]) -> Any:
        body = urlencode(form).encode()
        try:
            return self._client.post(f"/api/v1/admin/tsdb/{what}", body, headers=_FORM)
        except Refused as error:
            if error.message != _DISABLED:
                raise
            raise Refused(
                "The server does not delete or copy: it was not started with --enable-admin-api.",
                hint="Start it so, set server.enable_admin_api, or stop it and give --data-dir.",
            ) from error


def _form(selector: str, span: Span) -> dict[str, str]:
    bounds = {name: at for name, at in zip(("start", "end"), span, strict=True) if at is not None}
    return {"match[]": selector, **{name: f"{at:.3f}" for name, at in bounds.items()}}


class _Folder:
    """The store in a folder, opened by this process."""

    def __init__(self, runner: asyncio.Runner, store: Any, data_dir: Path) -> None:
        self._runner = runner
        self._store = store
        self._data_dir = data_dir

    def verify(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self._run(self._store.verify()).to_json())
        return report

    def count(self, selector: str, span: Span) -> dict[str, int]:
        series, samples = self._run(self._store.count(*_selected(selector, span)))
        return {"series": series, "samples": samples}

    def delete(self, selector: str, span: Span) -> None:
        self._run(self._store.delete(*_selected(selector, span)))

    def snapshot(self, *, skip_head: bool) -> str:
        place: Path = self._run(self._store.snapshot(self._add_records, skip_head=skip_head))
        return place.name

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def _add_records(self, folder: Path) -> None:
        from pynomaly.storage.records import Records, RecordsSettings
        from pynomaly.storage.records.records import FILE_NAME

        if (self._data_dir / FILE_NAME).exists():
            records = Records.open(RecordsSettings(), self._data_dir)
            try:
                records.copy_to(folder)
            finally:
                records.close()


def _selected(selector: str, span: Span) -> tuple[list[Any], int, int]:
    from pynomaly.api.prometheus.parameters import MAX_TIME_MS, MIN_TIME_MS
    from pynomaly.api.prometheus.selections import parse_any_selection

    start, end = (None if at is None else round(at * 1000) for at in span)
    return (
        [parse_any_selection(selector)],
        MIN_TIME_MS if start is None else start,
        MAX_TIME_MS if end is None else end,
    )


@contextmanager
def _opened(data_dir: Path) -> Iterator[_Folder]:
    from pynomaly.model.clock import SystemClock
    from pynomaly.storage.engine.embedded import EmbeddedEngine
    from pynomaly.storage.samples.store import SampleStore

    engine = EmbeddedEngine(data_dir)
    try:
        with asyncio.Runner() as runner:
            # The store also takes over what a killed server left in its log.
            store = SampleStore(engine, SystemClock(), data_dir=data_dir)
            try:
                runner.run(store.start())
                yield _Folder(runner, store, data_dir)
            finally:
                runner.run(store.close())
    finally:
        engine.close()
