"""The API of deliveries, and the commands that speak it, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from alerting_receiver import Receiver, receiver
from delivery_rig import Rig, rig
from typer.testing import CliRunner, Result

from pynomaly.access.asgi import AccessMiddleware
from pynomaly.access.config import AccessSettings
from pynomaly.access.gate import Gate
from pynomaly.api.app import create_app
from pynomaly.api.notifications import router
from pynomaly.cli.commands import app as commands
from pynomaly.model.clock import FakeClock
from pynomaly.storage.records import Records
from pynomaly.storage.records.group_commit import GroupCommit

SECRET = "s3cret-path"


@asynccontextmanager
async def served(parts: Rig, port: int) -> AsyncIterator[str]:
    app = create_app([router(parts.service)])
    app.add_middleware(AccessMiddleware, gate=Gate(AccessSettings()), audit=None)
    config = uvicorn.Config(app, port=port, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def notify(*arguments: str) -> Result:
    """Run ``pynomaly notify`` in a thread, so that the server can answer."""
    return await asyncio.to_thread(CliRunner().invoke, commands, ["notify", *arguments])


@asynccontextmanager
async def world(
    records: Records, commits: GroupCommit, clock: FakeClock, port: int
) -> AsyncIterator[tuple[Receiver, Rig, str]]:
    async with (
        receiver() as hook,
        rig(records, commits, clock, hook) as parts,
        served(parts, port) as url,
    ):
        yield hook, parts, url


async def test_dead_letters_are_listed_resent_and_dropped(
    records: Records, commits: GroupCommit, clock: FakeClock, free_port: Callable[[], int]
) -> None:
    async with world(records, commits, clock, free_port()) as (hook, parts, url):
        nothing = await notify("dead", "list", "--url", url)
        assert (nothing.exit_code, nothing.output) == (0, "Everything was delivered.\n")
        hook.answers = [404, 404, 503]
        await parts.tell("{}:{a}")
        await parts.tell("{}:{b}")
        shown = await notify("dead", "list", "--url", url)
        assert "ops/webhook[0]" in shown.output and "404 Not Found: not today" in shown.output
        letters = json.loads((await notify("dead", "list", "--json", "--url", url)).output)
        assert [letter["alert_count"] for letter in letters] == [1, 1]
        first = letters[0]["id"]
        failed = await notify("dead", "resend", first[:10], "--url", url)
        assert failed.exit_code == 1 and "failed: 503 Service Unavailable" in failed.output
        dropped = await notify("dead", "drop", first[:10], "--url", url)
        assert dropped.output == "Dropped 1.\n"
        sent = await notify("dead", "resend", "--all", "--url", url)
        assert sent.exit_code == 0 and "delivered" in sent.output
        assert parts.letters.all() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dead", "resend"], "Name one dead letter"),
        (["dead", "drop", "x", "--all"], "Name one dead letter"),
        (["dead", "drop", "nothing"], "No dead letter begins with 'nothing'"),
        (["test", "nobody"], "There is ops/webhook[0]"),
    ],
)
async def test_what_is_not_there_is_said(
    records: Records,
    commits: GroupCommit,
    clock: FakeClock,
    free_port: Callable[[], int],
    arguments: list[str],
    said: str,
) -> None:
    async with world(records, commits, clock, free_port()) as (_, _, url):
        result = await notify(*arguments, "--url", url)
        assert result.exit_code == 1 and said in result.output


async def test_a_receiver_is_tested_by_the_running_server(
    records: Records, commits: GroupCommit, clock: FakeClock, free_port: Callable[[], int]
) -> None:
    async with world(records, commits, clock, free_port()) as (hook, _, url):
        good = await notify("test", "ops", "--url", url)
        assert good.exit_code == 0 and "ops/webhook[0]: delivered in" in good.output
        hook.answers = [404]
        bad = await notify("test", "ops", "--json", "--url", url)
        (result,) = json.loads(bad.output)
        assert bad.exit_code == 1 and result["reason"] == "404 Not Found: not today"
        assert result["attempts"][0]["outcome"] == "permanent"


async def test_a_channel_is_tested_by_given_settings_without_a_server() -> None:
    async with receiver() as hook:
        settings = ["--set", f"url={hook.url}", "--set", "http_config.bearer_token=t0ken"]
        result = await notify("test", "webhook", *settings)
        assert result.exit_code == 0 and "settings/webhook[0]: delivered" in result.output
        assert hook.headers[0]["authorization"] == "Bearer t0ken"


async def test_a_receiver_of_a_file_is_tested_without_a_server(tmp_path: Path) -> None:
    async with receiver() as hook:
        file = tmp_path / "alertmanager.yml"
        file.write_text(
            "route: {receiver: ops}\n"
            f"receivers: [{{name: ops, webhook_configs: [{{url: '{hook.url}'}}]}}]\n"
        )
        hook.answers = [503]
        result = await notify("test", "ops", "--file", str(file))
        assert result.exit_code == 1
        assert "ops/webhook[0]: failed: 503 Service Unavailable: not today" in result.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["uri=http://x"], "did you mean 'url'?"),
        (["url"], "settings are given as name=value"),
    ],
)
async def test_settings_that_are_none_are_refused(settings: list[str], said: str) -> None:
    given = [part for setting in settings for part in ("--set", setting)]
    result = await notify("test", "webhook", *given)
    assert result.exit_code == 1 and said in result.output


async def test_no_answer_of_the_api_holds_a_secret(
    records: Records, commits: GroupCommit, clock: FakeClock, free_port: Callable[[], int]
) -> None:
    async with world(records, commits, clock, free_port()) as (hook, parts, url):
        hook.url = hook.url.replace("/hook", f"/{SECRET}")  # 404 by the server itself
        await parts.start(hook)
        await parts.tell()
        outputs = [
            (await notify(*arguments, "--json", "--url", url)).output
            for arguments in (["dead", "list"], ["dead", "resend", "--all"], ["test", "ops"])
        ]
        assert all("404" in output for output in outputs)
        assert SECRET not in "".join(outputs)
        await parts.receivers.close()
