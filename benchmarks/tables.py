"""Tables that a person reads and a machine can."""

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable


@dataclass
class Table:
    """A title, columns and rows."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: Any) -> None:
        self.rows.append([str(cell) for cell in cells])

    def print(self) -> None:
        shown = RichTable(title=self.title, title_justify="left")
        for i, column in enumerate(self.columns):
            shown.add_column(column, justify="left" if i == 0 else "right")
        for row in self.rows:
            shown.add_row(*row)
        Console().print(shown)

    def to_json(self) -> dict[str, Any]:
        return {"title": self.title, "columns": self.columns, "rows": self.rows}
