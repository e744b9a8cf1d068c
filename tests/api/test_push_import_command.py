"""``pynomaly import`` against a server that listens."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from fastapi import FastAPI

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api import errors
from pynomaly.api.ingest import router
from pynomaly.cli.client import Refused, ServerUnreachable
from pynomaly.cli.import_command import run
from pynomaly.ingest.push import PushDeps, PushLimits
from pynomaly.model.clock import FakeClock
from pynomaly.model.errors import BadInput
from pynomaly.server.listener import Listener, bind
from tests.api.push_app import NOW, Recorder

CSV = b"timestamp,metric_name,value\n" + b"".join(
    b"%d,cpu_usage,%d\n" % (1_751_284_800 + i, i) for i in range(50_000)
)
OPENMETRICS = b"# TYPE up gauge\nup 1 1751284800\n# EOF\n"


@dataclass
class Server:
    recorder: Recorder
    url: str

    async def send(self, file: Path | str, format_: str = "", *, as_json: bool = False) -> None:
        await asyncio.to_thread(run, self.url, str(file), format_=format_, as_json=as_json)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    app, recorder = FastAPI(), Recorder()
    errors.install(app)
    app.include_router(router(PushDeps(recorder, FakeClock(NOW), PushLimits())))
    guarded = AccessMiddleware(app, Gate(AccessSettings()), None)
    listener = Listener(guarded, bind("127.0.0.1", 0, "--api-port"))
    await listener.start()
    yield Server(recorder, f"http://127.0.0.1:{listener.port}")
    await listener.close()


@pytest.mark.parametrize("name", ["history.csv", "history.csv.gz", "history", "history.gz"])
async def test_a_file_is_sent_whatever_its_name(
    server: Server, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(CSV) if name.endswith("gz") else CSV)
    await server.send(file)
    assert len(server.recorder.rows) == 50_000
    assert "Stored 50,000 samples of 50,001 lines in " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["history.om", "history.txt"])
async def test_openmetrics_is_told_by_name_or_beginning(
    server: Server, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(OPENMETRICS)
    await server.send(tmp_path / name, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "status": "success",
        "stored": 1,
        "lines": 3,
        "refused": {},
    }


async def test_standard_input_is_a_file_like_others(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(OPENMETRICS)))
    await server.send("-")
    assert server.recorder.rows == [("up", 1_751_284_800_000, 1.0)]


async def test_the_line_that_stopped_it_is_told(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "faulty.csv"
    file.write_bytes(CSV + b"oops\n" + CSV * 20)
    fault = "line 50002: expected 3 cells, found 1; the 50001 lines before are stored"
    with pytest.raises(Refused) as caught:
        await server.send(file)
    assert caught.value.message == fault
    with pytest.raises(typer.Exit) as ended:
        await server.send(file, as_json=True)
    assert ended.value.exit_code == 1
    assert json.loads(capsys.readouterr().out) == {"status": "error", "error": fault}


async def test_what_cannot_be_sent_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        await server.send(tmp_path / "absent")
    odd = tmp_path / "odd"
    odd.write_bytes(b"\x00\x01\x02")
    with pytest.raises(BadInput, match="does not begin like"):
        await server.send(odd)
    with pytest.raises(BadInput, match="'xml' is not known"):
        await server.send(odd, "xml")
    assert server.recorder.calls == 0


async def test_a_server_that_is_not_there_is_told(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_bytes(CSV[:100])
    with pytest.raises(ServerUnreachable):
        await Server(server.recorder, "http://127.0.0.1:1").send(file)
