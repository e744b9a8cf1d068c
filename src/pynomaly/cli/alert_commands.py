"""``pynomaly alerts …``: the commands, with their options. What they do stands in ``alerts``."""

from typing import Annotated

import typer

from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.options import Json, Since, Until, Url
from pynomaly.cli.output import errors_in_a_line

alerts_app = typer.Typer(
    help="Alerts: take them on, and make fewer of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
suppression_app = typer.Typer(
    help="Rules that allow so many alerts in a stretch of time.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
alerts_app.add_typer(suppression_app, name="suppression")

Which = Annotated[
    str, typer.Argument(help="A fingerprint, or a matcher that only one alert that fires has.")
]
Name = Annotated[str, typer.Argument(help="The name of the rule.")]


@alerts_app.command(
    epilog="Example: pynomaly alerts acknowledge 'instance=\"db-1\"' --comment 'on it'"
)
def acknowledge(
    which: Which,
    comment: Annotated[str, typer.Option(help="What others should know.")] = "",
    by: Annotated[str, typer.Option(help="Who takes it on [whoever is logged in].")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back instead.")] = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Take an alert on: it is not repeated; receivers are told of its end."""
    from pynomaly.cli import alerts

    with errors_in_a_line():
        if withdraw:
            alerts.withdraw(url, which, as_json=as_json)
        else:
            alerts.acknowledge(url, which, comment, by, as_json=as_json)


@alerts_app.command(epilog="Example: pynomaly alerts noise --from 30d --timezone Europe/Berlin")
def noise(
    since: Since = "30d",
    to: Until = "now",
    timezone: Annotated[str, typer.Option(help="Whose hours of the day.")] = "UTC",
    name: Annotated[str, typer.Option(help="Only the rule with this alertname.")] = "",
    limit: Annotated[int, typer.Option(help="How many rules.", min=1, max=1000)] = 20,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Rules that tell often and are not acted on, and what a change would have saved."""
    from pynomaly.cli import alerts

    wanted = {"from": since, "to": to, "timezone": timezone, "name": name, "limit": limit}
    with errors_in_a_line():
        alerts.noise(url, wanted, as_json=as_json)


@suppression_app.command("list", epilog="Example: pynomaly alerts suppression list --json")
def suppression_list(url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """The rules in force: of the configuration, and those added."""
    from pynomaly.cli import alerts

    with errors_in_a_line():
        alerts.suppression_list(url, as_json=as_json)


@suppression_app.command(
    "add",
    epilog="Example: pynomaly alerts suppression add duplicate_suppression --window 5m --most 1 "
    "--matcher 'severity=\"warning\"'",
)
def suppression_add(
    name: Name,
    window: Annotated[str, typer.Option(help="The stretch of time.", metavar="DURATION")],
    most: Annotated[int, typer.Option(help="How many alerts pass in that time.", min=1)] = 1,
    matcher: Annotated[
        list[str] | None, typer.Option(help="Only alerts that match; may be repeated.")
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="A label that duplicates share; may be repeated [all labels]."),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Add a rule, or change the one of this name. Critical alerts pass unless a matcher of it
    speaks of severity."""
    from pynomaly.cli import alerts

    conditions = {
        "time_window": window,
        "max_alerts_in_window": most,
        "matchers": matcher or [],
        "by": by or ["..."],
    }
    with errors_in_a_line():
        alerts.suppression_add(url, {"name": name, "conditions": conditions}, as_json=as_json)


@suppression_app.command(
    "remove", epilog="Example: pynomaly alerts suppression remove duplicate_suppression"
)
def suppression_remove(name: Name, url: Url = DEFAULT_URL) -> None:
    """Remove a rule that was added."""
    from pynomaly.cli import alerts

    with errors_in_a_line():
        alerts.suppression_remove(url, name)
