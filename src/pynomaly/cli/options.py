"""Options that commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

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
