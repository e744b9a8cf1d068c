"""``pynomaly storage …``: the commands, with their options. What they do stands in ``storage``."""

from typing import Annotated

import typer

from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.options import DataDir, Json, Url
from pynomaly.cli.output import errors_in_a_line

storage_app = typer.Typer(help="The store.", no_args_is_help=True, rich_markup_mode=None)


@storage_app.command(
    "verify", epilog="Example: pynomaly storage verify --data-dir pynomaly-data --json"
)
def storage_verify(data_dir: DataDir = None, json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """Count raw rows, duplicates, series without samples and the reverse.

    Asks the running server, or opens the folder of --data-dir when none runs on it.
    Exits with 1 when something is wrong.
    """
    from pynomaly.cli.storage import verify

    with errors_in_a_line():
        sound = verify(url, data_dir, as_json=json_)
    raise typer.Exit(0 if sound else 1)


@storage_app.command(
    "delete",
    epilog="Example: pynomaly storage delete 'http_requests_total{job=\"old\"}' --from 30d "
    "--to 2026-01-31T12:00:00Z",
)
def storage_delete(
    selector: Annotated[
        str, typer.Argument(help="Which series, as in PromQL.", metavar="SELECTOR")
    ],
    from_: Annotated[
        str,
        typer.Option(
            "--from", help="Since when: 30d ago, RFC 3339 or epoch seconds [the beginning]."
        ),
    ] = "",
    to: Annotated[str, typer.Option(help="Until when [the end].")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    data_dir: DataDir = None,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Delete samples for good, after saying how many and asking.

    The running server must have --enable-admin-api; or stop it and name its --data-dir.
    """
    from pynomaly.cli.storage import delete

    with errors_in_a_line():
        delete(
            url,
            data_dir,
            selector,
            since=from_,
            until=to,
            yes=yes,
            dry_run=dry_run,
            as_json=json_,
        )


@storage_app.command("snapshot", epilog="Example: pynomaly storage snapshot --json")
def storage_snapshot(
    skip_head: Annotated[
        bool, typer.Option("--skip-head", help="Without the newest samples, which are in the log.")
    ] = False,
    data_dir: DataDir = None,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Copy the store aside, by links, while samples come in. The copy is a data folder.

    The running server must have --enable-admin-api; or stop it and name its --data-dir.
    """
    from pynomaly.cli.storage import snapshot

    with errors_in_a_line():
        snapshot(url, data_dir, skip_head=skip_head, as_json=json_)
