"""Options that commands have in common, and how their times are read."""

from pathlib import Path
from typing import Annotated

import typer

from pynomaly.model.errors import BadInput
from pynomaly.model.times import parse_moment

Url = Annotated[
    str, typer.Option("--url", envvar="PYNOMALY_URL", help="Where the server's API is.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Since = Annotated[
    str, typer.Option("--from", help="Since when: 30d ago, RFC 3339 or epoch seconds.")
]
Until = Annotated[str, typer.Option("--to", help="Until when.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where everything is kept.", metavar="DIR")
]


def read_time(option: str, text: str, now: float) -> float:
    """Epoch seconds of what was given for an option; see ``parse_moment``.

    Raises:
        BadInput: it is no time.
    """
    try:
        return parse_moment(text, now)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from error
