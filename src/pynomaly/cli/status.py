"""``pynomaly status``."""

import json

from rich.table import Table

from pynomaly.cli.client import Client
from pynomaly.cli.output import out

_MARKS = {"active": "[green]●[/]", "degraded": "[yellow]▲[/]", "failed": "[red]✖[/]"}


def show(url: str, *, as_json: bool) -> bool:
    """Print the health of a server and of its parts; whether it is healthy."""
    health = Client(url).get("/api/system-health")
    if as_json:
        out.print_json(json.dumps(health))
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name, part in health["components"].items():
            mark = _MARKS.get(part["status"], "[dim]○[/]")
            table.add_row(mark, name, part["status"], part.get("reason", ""))
        out.print(f"{url} is {health['overall_status']}")
        out.print(table)
    return bool(health["overall_status"] == "healthy")
