"""``pynomaly notify``: test receivers, and what could not be delivered."""

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.load import load_alertmanager, parse_alertmanager
from pynomaly.alerting.alertmanager.templates import load_templates
from pynomaly.alerting.channels.messages import Messages
from pynomaly.alerting.delivery.receivers import Receivers
from pynomaly.alerting.delivery.trial import Trial, try_out
from pynomaly.cli.client import Client
from pynomaly.cli.output import out
from pynomaly.model.clock import SystemClock
from pynomaly.model.errors import BadInput

_DEAD_LETTERS = "/api/notifications/dead-letters"
_JSON = {"Content-Type": "application/json"}


def test(
    url: str, channel: str, *, file: Path | None, settings: Sequence[str], as_json: bool
) -> bool:
    """Send a test notification and print what happened; whether all took it.

    With ``settings`` (``key=value``) ``channel`` is a kind, made of them here; with ``file`` a
    receiver of that alertmanager.yml; otherwise the running server sends.

    Raises:
        PynomalyError: the settings or the file cannot be used, nobody is called so, or the server
            does not answer.
    """
    if settings:
        results = _locally(_of_settings(channel, settings), channel)
    elif file is not None:
        results = _locally(load_alertmanager(file), channel)
    else:
        body = json.dumps({"channel": channel}).encode()
        answer = Client(url).post("/api/notifications/test", body, headers=_JSON)
        results = answer["results"]
    if as_json:
        out.print_json(json.dumps(results))
    else:
        for result in results:
            _say(result)
    return all(result["delivered"] for result in results)


def dead_list(url: str, *, as_json: bool) -> None:
    """Print the dead letters, the newest first.

    Raises:
        PynomalyError: the server does not answer.
    """
    letters = Client(url).get(_DEAD_LETTERS)["dead_letters"]
    if as_json:
        out.print_json(json.dumps(letters))
        return
    if not letters:
        out.print("Everything was delivered.")
        return
    for letter in letters:
        _print(f"{letter['id'][:12]}  {letter['receiver']}/{letter['integration']}")
        _print(f"  {letter['group_key']} {letter['status']}, {letter['alert_count']} alerts")
        _print(f"  tried {letter['times']} times, last {_time(letter['last_at'])}")
        _print(f"  {letter['reason']}")


def dead_resend(url: str, identity: str, *, every: bool, as_json: bool) -> bool:
    """Try one or all again, and print how it went; whether all were taken.

    Raises:
        PynomalyError: there is none of this id, or the server does not answer.
    """
    client = Client(url)
    ids = _ids(client, identity, every=every)
    results = [client.post(f"{_DEAD_LETTERS}/{one}/resend") for one in ids]
    if as_json:
        out.print_json(json.dumps(results))
    else:
        for result in results:
            _say(result)
    return all(result["delivered"] for result in results)


def dead_drop(url: str, identity: str, *, every: bool, as_json: bool) -> None:
    """Forget one or all.

    Raises:
        PynomalyError: there is none of this id, or the server does not answer.
    """
    client = Client(url)
    ids = _ids(client, identity, every=every)
    dropped = [client.post(f"{_DEAD_LETTERS}/{one}/drop")["dropped"] for one in ids]
    if as_json:
        out.print_json(json.dumps(dropped))
    else:
        out.print(f"Dropped {len(dropped)}.")


def _ids(client: Client, identity: str, *, every: bool) -> list[str]:
    if bool(identity) == every:
        raise BadInput("Name one dead letter by its id, or all of them with --all.")
    if identity:
        return [identity]
    return [letter["id"] for letter in client.get(_DEAD_LETTERS)["dead_letters"]]


def _of_settings(kind: str, settings: Sequence[str]) -> AlertmanagerConfig:
    section: dict[str, Any] = {}
    for setting in settings:
        name, found, value = setting.partition("=")
        if not found:
            raise BadInput(f"{setting!r}: settings are given as name=value.")
        *above, last = name.split(".")
        place = section
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    receiver = {"name": "settings", f"{kind}_configs": [section]}
    text = yaml.safe_dump({"route": {"receiver": "settings"}, "receivers": [receiver]})
    return parse_alertmanager(text, "the settings", Path.cwd())


def _locally(config: AlertmanagerConfig, channel: str) -> list[dict[str, Any]]:
    async def run() -> list[Trial]:
        clock = SystemClock()
        messages = Messages(load_templates(config), "http://127.0.0.1:8080", clock)
        receivers = Receivers(config, messages, clock)
        try:
            return await try_out(receivers, channel, clock.now())
        finally:
            await receivers.close()

    with _without_warnings():
        return [asdict(trial) for trial in asyncio.run(run())]


@contextmanager
def _without_warnings() -> Iterator[None]:
    """What delivery warns of is printed as the result."""
    log = logging.getLogger("pynomaly.alerting")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _say(result: dict[str, Any]) -> None:
    where = f"{result['receiver']}/{result['integration']}"
    seconds = result["attempts"][-1]["seconds"] if result["attempts"] else 0.0
    reason = f": {result['reason']}" if result["reason"] else ""
    what = f"delivered in {seconds:.2f} s" if result["delivered"] else "failed"
    _print(f"{where}: {what}{reason}")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _print(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)
