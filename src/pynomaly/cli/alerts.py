"""``pynomaly alerts …``: acknowledge, the noise report, suppression rules."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pynomaly.cli.client import Client
from pynomaly.cli.explain import fingerprint_of
from pynomaly.cli.output import out
from pynomaly.model.duration import format_duration

_JSON = {"Content-Type": "application/json"}
_RULES = "/api/alerts/suppression-rules"


def acknowledge(url: str, which: str, comment: str, by: str, *, as_json: bool) -> None:
    """Take an alert on.

    Raises:
        PynomalyError: no such alert fires, or the server does not answer.
    """
    client = Client(url)
    body = json.dumps({"comment": comment, "by": by}).encode()
    done = client.post(_path(client, which), body, headers=_JSON)
    if as_json:
        out.print_json(json.dumps(done))
        return
    _say(f"{done['by']} acknowledged {done['fingerprint']} at {done['at']}: it is not repeated.")
    for told in done["passed_on"]:
        reason = f": {told['reason']}" if told["reason"] else ""
        _say(f"  {told['receiver']} {told['integration']}: {told['outcome']}{reason}")


def withdraw(url: str, which: str, *, as_json: bool) -> None:
    """Take an acknowledgement back.

    Raises:
        PynomalyError: nobody has acknowledged it, or the server does not answer.
    """
    client = Client(url)
    done = client.delete(_path(client, which))
    if as_json:
        out.print_json(json.dumps(done))
    else:
        _say(f"{done['fingerprint']} is repeated again.")


def noise(url: str, wanted: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the report.

    Raises:
        PynomalyError: a time or the range is none, or the server does not answer.
    """
    found = Client(url).get("/api/alerts/noise", wanted)
    if as_json:
        out.print_json(json.dumps(found))
        return
    if not found["firings"]:
        _say("No alert fired in that time.")
        return
    _say(
        f"{found['firings']} firings, {found['notifications']} notifications, "
        f"{found['unacted_notifications']} of them of firings that nobody acted on; "
        f"{found['rules_in_vain']} rules told and were never acted on."
    )
    for rule in found["rules"]:
        _rule(rule)
    if found["rules_left_out"]:
        _say(f"\n{found['rules_left_out']} more rules; --limit shows them.")


def suppression_list(url: str, *, as_json: bool) -> None:
    """Print the rules in force.

    Raises:
        PynomalyError: the server does not answer.
    """
    found = Client(url).get(_RULES)["suppression_rules"]
    if as_json:
        out.print_json(json.dumps(found))
        return
    if not found:
        _say("There is no suppression rule.")
    for rule in found:
        _say(_suppression(rule))


def suppression_add(url: str, rule: Mapping[str, Any], *, as_json: bool) -> None:
    """Keep a rule.

    Raises:
        PynomalyError: it cannot be used, or the server does not answer.
    """
    kept = Client(url).post(_RULES, json.dumps(rule).encode(), headers=_JSON)
    if as_json:
        out.print_json(json.dumps(kept))
    else:
        _say(_suppression(kept))


def suppression_remove(url: str, name: str) -> None:
    """Forget a rule.

    Raises:
        PynomalyError: there is none, it stands in the configuration, or the server does not answer.
    """
    Client(url).delete(f"{_RULES}/{quote(name, safe='')}")
    _say(f"{name} is removed.")


def _path(client: Client, which: str) -> str:
    return f"/api/alerts/{quote(fingerprint_of(client, which), safe='')}/acknowledge"


def _rule(rule: Mapping[str, Any]) -> None:
    median = rule["median_seconds"]
    lasted = "none has ended" if median is None else f"median {format_duration(median)}"
    vain = ", never acted on" if rule["never_acted_on"] else ""
    _say(f"\n{rule['name']} ({rule['severity'] or 'no severity'}){vain}")
    _say(
        f"  {rule['firings']} firings ({lasted}, {_percent(rule['resolved_within_5m_share'])} "
        f"over within 5m, {rule['flapping']} while flapping), {rule['notifications']} "
        f"notifications, {_percent(rule['acted_share'])} of firings acted on"
    )
    for count in rule["receivers"]:
        _say(
            f"  told {count['receiver']} {count['notifications']} times, {count['repeats']} of "
            "them repetitions"
        )
    _say(f"  by hour {_bars(rule['by_hour'])}")
    for each in rule["suggestions"]:
        _say(f"  - {each['text']}")


def _bars(hours: list[int]) -> str:
    """24 signs, the higher the more.

    >>> _bars([0, 1, 2, 8] * 6)[:4]
    '·▁▂█'
    """
    most = max(*hours, 1)
    return "".join(
        "▁▂▃▄▅▆▇█"[max(number * 8 // most - 1, 0)] if number else "·" for number in hours
    )


def _suppression(rule: Mapping[str, Any]) -> str:
    conditions = rule["conditions"]
    by = "each alert" if "..." in conditions["by"] else f"each {', '.join(conditions['by'])}"
    of = f" of {', '.join(conditions['matchers'])}" if conditions["matchers"] else ""
    whose = "configuration" if rule["source"] == "file" else f"by {rule['created_by']}"
    window = format_duration(conditions["time_window"])
    return (
        f"{rule['name']}: {conditions['max_alerts_in_window']} in {window} for {by}{of} ({whose})"
    )


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)
