"""``pynomaly detect list`` and ``feedback``: anomalies, and what people say of them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pynomaly.cli.client import Client
from pynomaly.cli.output import out
from pynomaly.model.labels import Labels

_PATH = "/api/anomalies"
_MOST_MEMBERS = 20
_JSON = {"Content-Type": "application/json"}


def show(url: str, *, service: str, since: str, as_json: bool, flat: bool = False) -> None:
    """Print the anomalies of the last ``since``, the newest first; ``flat``: not by events.

    Raises:
        PynomalyError: ``since`` is no duration, or the server does not answer.
    """
    asked = {"service": service, "time_range": since, **({"flat": "true"} if flat else {})}
    answer = Client(url).get(_PATH, asked)
    found = answer["anomalies"]
    if as_json:
        out.print_json(json.dumps(found))
        return
    if not found:
        whose = f" of {service}" if service else ""
        out.print(f"No anomalies{whose} in the last {since}.", markup=False)
    for anomaly in found:
        _say(anomaly)


def judge(url: str, anomaly_id: str, feedback: str, *, as_json: bool) -> None:
    """Say of one that it was real, or false; by the id of an event, of all in it.

    Raises:
        PynomalyError: there is none of this id, or the server does not answer.
    """
    body = json.dumps({"feedback": feedback, "members": True}).encode()
    said = Client(url).post(f"{_PATH}/{quote(anomaly_id, safe='')}/feedback", body, headers=_JSON)
    if as_json:
        out.print_json(json.dumps(said))
    else:
        _say(said)


def _say(anomaly: dict[str, Any]) -> None:
    ended = f"until {_time(anomaly['ended_at'])}" if anomaly["ended_at"] else "lasts"
    said = {"real": ", real", "false": ", false alarm"}.get(anomaly["feedback"] or "", "")
    head = (
        f"{anomaly['id']}  {anomaly['severity']:<8}  {_time(anomaly['started_at'])}, {ended}{said}"
    )
    series = anomaly.get("what") or str(Labels(anomaly["labels"]))
    members = anomaly.get("members", [])
    for line in (head, f"  {series}", f"  {anomaly['explanation']}", *_members(members)):
        out.print(line, markup=False, soft_wrap=True)


def _members(members: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each series of an event, the rarest first."""
    for each in members[:_MOST_MEMBERS]:
        yield f"    {each['score']:.2f}  {Labels(each['labels'])}"
    if len(members) > _MOST_MEMBERS:
        yield f"    and {len(members) - _MOST_MEMBERS} more"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
