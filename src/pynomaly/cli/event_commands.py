"""``pynomaly events``, with its options."""

from typing import Annotated

import typer

from pynomaly.calendar.events import EventKind
from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.options import Json, Since, Url
from pynomaly.cli.output import errors_in_a_line

events_app = typer.Typer(
    help="Deployments, maintenance, holidays: what people do, and when.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Id = Annotated[str, typer.Argument(help="Its id, as list tells it.", metavar="ID")]


@events_app.command(
    "add",
    epilog='Example: pynomaly events add deployment "checkout 1.42" --match service=checkout',
)
def events_add(
    kind: Annotated[EventKind, typer.Argument(help="What it is.", metavar="KIND")],
    title: Annotated[str, typer.Argument(help="What people see.", metavar="TITLE")],
    match: Annotated[
        list[str] | None,
        typer.Option(
            help='Which series and alerts it concerns: service=checkout, env=~"prod|stage". May '
            "be given again; all must match. [all series]",
            metavar="MATCHER",
        ),
    ] = None,
    at: Annotated[
        str, typer.Option(help="When it begins: now, 30m ago, RFC 3339 or epoch seconds.")
    ] = "now",
    to: Annotated[str, typer.Option(help="When it ends.")] = "",
    for_: Annotated[
        str, typer.Option("--for", help="Or how long it lasts.", metavar="DURATION")
    ] = "",
    every: Annotated[
        str,
        typer.Option(
            help="When it comes again: daily, weekdays, weekly, monthly, yearly, or an RRULE such "
            "as FREQ=MONTHLY;BYDAY=1SU.",
            metavar="RULE",
        ),
    ] = "",
    time_zone: Annotated[
        str, typer.Option(help="Whose clocks that follows [calendar.time_zone].", metavar="ZONE")
    ] = "",
    learn: Annotated[
        bool | None,
        typer.Option(
            "--learn/--no-learn",
            help="Whether what is usual is learnt meanwhile [yes, but for maintenance].",
            show_default=False,
        ),
    ] = None,
    alarm: Annotated[
        bool | None,
        typer.Option(
            "--alarm/--no-alarm",
            help="Whether anomalies are told meanwhile [yes, but for maintenance].",
            show_default=False,
        ),
    ] = None,
    text: Annotated[str, typer.Option(help="What more there is to say.")] = "",
    link: Annotated[str, typer.Option(help="Where more of it is.", metavar="URL")] = "",
    by: Annotated[str, typer.Option(help="Who did it.", metavar="NAME")] = "",
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Keep an event: it is drawn on charts, and named where anomalies follow it.

    A deployment, a change or another event is a moment unless it has an end. With --no-alarm or
    --no-learn it lasts half an hour unless it has one.
    """
    from pynomaly.cli.events import add

    asked = {
        "kind": kind.value,
        "title": title,
        "matchers": match or [],
        "starts_at": at,
        "ends_at": to or None,
        "duration": for_,
        "recurrence": {"rule": every, "time_zone": time_zone} if every else None,
        "learn": learn,
        "alarm": alarm,
        "text": text,
        "link": link,
        "created_by": by,
    }
    with errors_in_a_line():
        add(url, asked, as_json=json_)


@events_app.command("list", epilog="Example: pynomaly events list --kind maintenance --from 30d")
def events_list(
    from_: Since = "7d",
    to: Annotated[str, typer.Option(help="Until when [in a week].")] = "",
    kind: Annotated[
        list[EventKind] | None, typer.Option(help="Only of this kind; may be given again.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Only what may concern series with this label.", metavar="NAME=VALUE"),
    ] = None,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Events of a time, in the order of their begin; what comes again at each of its times."""
    from pynomaly.cli.events import show_all

    asked = {
        "from": from_,
        "to": to,
        "kind": [each.value for each in kind or ()],
        "label": label or [],
    }
    with errors_in_a_line():
        show_all(url, asked, as_json=json_)


@events_app.command("show", epilog="Example: pynomaly events show holiday-2026-12-25")
def events_show(id_: Id, json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """One event, with all that is known of it."""
    from pynomaly.cli.events import show

    with errors_in_a_line():
        show(url, id_, as_json=json_)


@events_app.command("end", epilog='Example: pynomaly events end "$EVENT"')
def events_end(id_: Id, json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """Let an event be over now; of what comes again, for good."""
    from pynomaly.cli.events import end

    with errors_in_a_line():
        end(url, id_, as_json=json_)


@events_app.command("delete", epilog='Example: pynomaly events delete "$EVENT"')
def events_delete(id_: Id, json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """Forget an event, as if it had never been."""
    from pynomaly.cli.events import delete

    with errors_in_a_line():
        delete(url, id_, as_json=json_)
