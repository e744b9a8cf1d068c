"""What ``pynomaly events`` does, over the API of a server."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pynomaly.cli.client import Client
from pynomaly.cli.output import out

_PATH = "/api/events"
_JSON = {"Content-Type": "application/json"}

Event = dict[str, Any]


def add(url: str, asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Keep an event and print it; the first word of the output is its id.

    Raises:
        PynomalyError: the server refuses it, or does not answer.
    """
    body = json.dumps({name: value for name, value in asked.items() if value not in (None, "")})
    _print(Client(url).post(_PATH, body.encode(), headers=_JSON), as_json=as_json)


def show_all(url: str, asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the events of a time.

    Raises:
        PynomalyError: the server refuses the question, or does not answer.
    """
    answer = Client(url).get(_PATH, {name: value for name, value in asked.items() if value})
    if as_json:
        out.print_json(json.dumps(answer["events"]))
        return
    if not answer["events"]:
        out.print("No events.")
    for event in answer["events"]:
        _say(event)
    if answer["left_out"]:
        out.print(f"{answer['left_out']} more; ask for a shorter time.")


def show(url: str, event_id: str, *, as_json: bool) -> None:
    """Print one event.

    Raises:
        PynomalyError: there is none of this id, or the server does not answer.
    """
    _print(Client(url).get(_place(event_id)), as_json=as_json)


def end(url: str, event_id: str, *, as_json: bool) -> None:
    """Let an event be over, and print it.

    Raises:
        PynomalyError: there is none of this id, or it has not begun.
    """
    _print(Client(url).post(f"{_place(event_id)}/end"), as_json=as_json)


def delete(url: str, event_id: str, *, as_json: bool) -> None:
    """Forget an event.

    Raises:
        PynomalyError: there is none of this id, or the server does not answer.
    """
    answer = Client(url).delete(_place(event_id))
    if as_json:
        out.print_json(json.dumps(answer))
    else:
        out.print(f"Deleted {event_id}.", markup=False)


def _place(event_id: str) -> str:
    return f"{_PATH}/{quote(event_id, safe='')}"


def _print(event: Event, *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(event))
    else:
        _say(event)


def _say(event: Event) -> None:
    ends = f" to {_time(event['ends_at'])}" if event["ends_at"] else ""
    lines = [
        f"{event['id']}  {event['kind']}  {_time(event['starts_at'])}{ends}  {event['title']}",
        f"  {_meanwhile(event)}",
    ]
    if event["matchers"]:
        lines.append(f"  concerns {', '.join(event['matchers'])}")
    if again := event["recurrence"]:
        until = f" until {_time(again['until'])}" if again["until"] else ""
        lines.append(f"  again by {again['rule']}, {again['time_zone']}{until}")
    lines += [f"  {event[name]}" for name in ("text", "link") if event[name]]
    if event["created_by"]:
        lines.append(f"  by {event['created_by']}")
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def _meanwhile(event: Event) -> str:
    if event["kind"] == "holiday":
        like = "judged like a Sunday, unless configured otherwise; "
    else:
        like = ""
    learn = "learnt" if event["learn"] else "not learnt"
    alarm = "told of" if event["alarm"] else "not told of"
    return f"{like}meanwhile: {learn}, anomalies {alarm}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
