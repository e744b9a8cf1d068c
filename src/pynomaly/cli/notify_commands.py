"""``pynomaly notify …``: the commands, with their options. What they do stands in ``notify``."""

from pathlib import Path
from typing import Annotated

import typer

from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.options import Json, Url
from pynomaly.cli.output import errors_in_a_line

notify_app = typer.Typer(
    help="Receivers of notifications.", no_args_is_help=True, rich_markup_mode=None
)
dead_app = typer.Typer(
    help="Notifications that could not be delivered.", no_args_is_help=True, rich_markup_mode=None
)
notify_app.add_typer(dead_app, name="dead")

DeadLetterId = Annotated[
    str, typer.Argument(help="Its id, or how that begins.", metavar="ID", show_default=False)
]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]


@notify_app.command(
    "test",
    epilog="Example: pynomaly notify test slack, or without a server: pynomaly notify test webhook "
    "--set url=http://127.0.0.1:9000/hook",
)
def notify_test(
    channel: Annotated[
        str,
        typer.Argument(
            help="A receiver, one of its integrations (ops/slack[0]), or a kind of channel.",
            metavar="CHANNEL",
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option("--file", help="An alertmanager.yml to send by, from here.", metavar="FILE"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the channel, to send by; repeat it."),
    ] = None,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Send a test notification through what is configured, and say what happened.

    The running server sends, unless --file or --set say by what to send from here. What opens an
    incident is told at once that it is over. Exits with 1 unless it was taken.
    """
    from pynomaly.cli.notify import test

    with errors_in_a_line():
        taken = test(url, channel, file=file, settings=set_ or (), as_json=json_)
    raise typer.Exit(0 if taken else 1)


@dead_app.command("list", epilog="Example: pynomaly notify dead list --json")
def notify_dead_list(json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """What could not be delivered, the newest first."""
    from pynomaly.cli.notify import dead_list

    with errors_in_a_line():
        dead_list(url, as_json=json_)


@dead_app.command("resend", epilog="Example: pynomaly notify dead resend 3f9c")
def notify_dead_resend(
    id_: DeadLetterId = "", all_: Every = False, json_: Json = False, url: Url = DEFAULT_URL
) -> None:
    """Try once more. What is delivered leaves the list. Exits with 1 unless all were."""
    from pynomaly.cli.notify import dead_resend

    with errors_in_a_line():
        taken = dead_resend(url, id_, every=all_, as_json=json_)
    raise typer.Exit(0 if taken else 1)


@dead_app.command("drop", epilog="Example: pynomaly notify dead drop --all")
def notify_dead_drop(
    id_: DeadLetterId = "", all_: Every = False, json_: Json = False, url: Url = DEFAULT_URL
) -> None:
    """Forget it. A group that still has something to tell is tried again by its own timers."""
    from pynomaly.cli.notify import dead_drop

    with errors_in_a_line():
        dead_drop(url, id_, every=all_, as_json=json_)
