"""``pynomaly explain``: why was I told, and why not?"""

import json
from typing import Any
from urllib.parse import quote

from pynomaly.cli.client import Client
from pynomaly.cli.output import out
from pynomaly.model.errors import PynomalyError

_MOST_SHOWN = 10


class NotOneAlert(PynomalyError):
    """The matchers mean no alert, or several."""


def show(url: str, which: str, *, as_json: bool) -> None:
    """Explain the alert of a fingerprint, or the only one that a matcher means.

    Raises:
        NotOneAlert: the matcher means none, or several.
    """
    client = Client(url)
    found = client.get(f"/api/alerts/{quote(fingerprint_of(client, which))}/explain")
    if as_json:
        out.print_json(json.dumps(found))
        return
    labels = ", ".join(f'{name}="{value}"' for name, value in found["labels"].items())
    _say(f"{{{labels}}} is {found['state']}, from {found['starts_at']} to {found['ends_at']}")
    _say(f"received from {found['source']}, last at {found['received_at']}")
    for path in found["receivers"]:
        _path(path)
    _past(found["history"])


def fingerprint_of(client: Client, which: str) -> str:
    """The fingerprint that is named, or that of the only firing alert that a matcher means.

    Raises:
        NotOneAlert: the matcher means none, or several.
    """
    if not any(sign in which for sign in "=~"):
        return which
    alerts = client.get("/api/v2/alerts", {"filter": which})
    if len(alerts) != 1:
        names = ", ".join(
            f"{alert['fingerprint']} ({alert['labels'].get('alertname', '')})"
            for alert in alerts[:_MOST_SHOWN]
        )
        raise NotOneAlert(
            f"{len(alerts)} alerts that fire match {which}.",
            hint=f"Name one of them: {names}."
            if alerts
            else "Is it resolved? Name its fingerprint.",
        )
    return str(alerts[0]["fingerprint"])


def _path(path: dict[str, Any]) -> None:
    _say(f"\n{path['receiver']}: by the route {path['route']}")
    _say(f"  group {path['group_key']}, looked at next at {path['next_at'] or 'no time'}")
    if path["held_back"] is not None:
        _say(f"  held back ({path['held_back']['stage']}): {path['held_back']['reason']}")
    for telling in path["integrations"]:
        verdict = "tells" if telling["tells"] else "tells nothing"
        _say(f"  {telling['integration']} {verdict}: {telling['reason']}")
        for attempt in (telling["last"] or {}).get("attempts", ()):
            _say(f"    {_attempt(attempt)}")
    _say(f"  {path['change']}")


def _past(history: dict[str, Any]) -> None:
    for title, rows in (("Told", history["notifications"]), ("Held back", history["held_back"])):
        if rows:
            _say(f"\n{title}, the newest first:")
        for row in rows[:_MOST_SHOWN]:
            what = row.get("outcome") or row.get("stage") or "-"
            integration = f" {row['integration']}" if "integration" in row else ""
            _say(f"  {row['at']} {row['receiver']}{integration} {what}: {row['reason']}")
            for attempt in row.get("attempts", ()):
                _say(f"    {_attempt(attempt)}")


def _attempt(attempt: dict[str, Any]) -> str:
    reason = f": {attempt['reason']}" if attempt["reason"] else ""
    return f"{attempt['at']} {attempt['outcome']} in {attempt['seconds'] * 1000:.0f} ms{reason}"


def _say(text: str) -> None:
    out.print(text, soft_wrap=True, markup=False)
