"""``pynomaly routes …``: the commands, with their options.

What they do stands in ``routes`` and ``routes_backtest``.
"""

from pathlib import Path
from typing import Annotated

import typer

from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.options import Json, Since, Until, Url
from pynomaly.cli.output import errors_in_a_line

routes_app = typer.Typer(
    help="Where alerts go, by an alertmanager.yml.", no_args_is_help=True, rich_markup_mode=None
)

AlertmanagerFile = Annotated[
    Path | None,
    typer.Argument(help="An alertmanager.yml [the configured one].", metavar="[FILE]"),
]


@routes_app.command("show", epilog="Example: pynomaly routes show alertmanager.yml")
def routes_show(file: AlertmanagerFile = None, as_json: Json = False) -> None:
    """Draw the routing tree, with the timers of each route."""
    from pynomaly.cli.routes import show

    with errors_in_a_line():
        show(file, as_json=as_json)


@routes_app.command(
    "test",
    epilog="Example: pynomaly routes test alertmanager.yml severity=critical team=db "
    "--verify.receivers pager",
)
def routes_test(
    labels: Annotated[
        list[str] | None,
        typer.Argument(
            help="An alertmanager.yml [the configured one], then labels of an alert: name=value.",
            metavar="[FILE] LABEL...",
        ),
    ] = None,
    receivers: Annotated[
        str | None,
        typer.Option(
            "--verify.receivers", help="Exit with 1 unless it is these, with commas between."
        ),
    ] = None,
    tree: Annotated[bool, typer.Option("--tree", help="Draw the routes that it takes.")] = False,
    at: Annotated[str, typer.Option(help="When: matters where routes have intervals.")] = "now",
    as_json: Json = False,
) -> None:
    """Say which receivers an alert with these labels goes to, as `amtool config routes test`."""
    from pynomaly.cli.routes import test

    given = labels or []
    named = given and ("=" not in given[0] or Path(given[0]).is_file())
    file = Path(given[0]) if named else None
    with errors_in_a_line():
        good = test(
            file,
            given[1:] if file else given,
            receivers=receivers,
            tree=tree,
            at=at,
            as_json=as_json,
        )
    if not good:
        raise typer.Exit(1)


@routes_app.command("check", epilog="Example: pynomaly routes check alertmanager.yml")
def routes_check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")], as_json: Json = False
) -> None:
    """Say whether files can be used, as `amtool check-config`, and what is odd in them."""
    from pynomaly.cli.routes import check

    with errors_in_a_line():
        good = check(files, as_json=as_json)
    if not good:
        raise typer.Exit(1)


@routes_app.command(
    "backtest",
    epilog="Example: pynomaly routes backtest alertmanager.yml --from 30d --against new.yml",
)
def routes_backtest(
    file: AlertmanagerFile = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="Alerts of these rules [those that fired].", metavar="RULES"),
    ] = None,
    from_: Since = "7d",
    to: Until = "now",
    against: Annotated[
        Path | None, typer.Option(help="Another alertmanager.yml, to compare.", metavar="OTHER")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of times, hours and nights.")] = "UTC",
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Say who would have been told of alerts of the past, how often, and at what hours."""
    from pynomaly.cli.routes_backtest import run

    with errors_in_a_line():
        run(
            url,
            file,
            rules=rules,
            from_=from_,
            to=to,
            against=against,
            timezone=timezone,
            as_json=as_json,
        )
