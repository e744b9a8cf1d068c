"""``pynomaly detect rules``: what is told of the anomalies of some series."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from pynomaly.cli.client import Client
from pynomaly.cli.output import out

_PATH = "/api/anomalies/rules"
_JSON = {"Content-Type": "application/json"}


def show(url: str, *, as_json: bool) -> None:
    """Print the rules that hold.

    Raises:
        PynomalyError: the server does not answer.
    """
    rules = Client(url).get(_PATH)["rules"]
    if as_json:
        out.print_json(json.dumps(rules))
        return
    if not rules:
        out.print("There are no anomaly rules; every series is told of.")
    for rule in rules:
        _say(rule)


def add(url: str, matchers: Sequence[str], *, as_json: bool, **wanted: Any) -> None:
    """Make one of these matchers; ``wanted`` are its other fields, those that are None left out.

    Raises:
        PynomalyError: it is no rule, or the server does not answer.
    """
    rule = {"matchers": list(matchers), **{n: v for n, v in wanted.items() if v is not None}}
    made = Client(url).post(_PATH, json.dumps(rule).encode(), headers=_JSON)
    if as_json:
        out.print_json(json.dumps(made))
    else:
        _say(made)


def traffic(metric: str, query: str, at_least: float | None) -> dict[str, Any] | None:
    """The minimum traffic as the API wants it; None where nothing is said of it."""
    if not metric and not query and at_least is None:
        return None
    named = {"metric": metric} if metric else {"query": query}
    return {**named, "at_least": at_least or 0.0}


def remove(url: str, rule_id: str) -> None:
    """Remove one.

    Raises:
        PynomalyError: there is none of this id, or it is one of the configuration.
    """
    Client(url).delete(f"{_PATH}/{quote(rule_id, safe='')}")
    out.print(f"Removed {rule_id}.", markup=False)


def _say(rule: dict[str, Any]) -> None:
    count = rule["matches"]
    series = "" if count is None else f", matches {count} series"
    out.print(f"{rule['id']}  {', '.join(rule['matchers'])}", markup=False, soft_wrap=True)
    comment = f" ({rule['comment']})" if rule.get("comment") else ""
    out.print(f"  {rule['says']}{series}{comment}", markup=False, soft_wrap=True)
