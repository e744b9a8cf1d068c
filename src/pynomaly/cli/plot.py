"""Figures in one HTML file that needs nothing else."""

import html
import json
from collections.abc import Sequence
from pathlib import Path

from pynomaly.figures.timeseries import Figure
from pynomaly.model.errors import BadInput
from pynomaly.web.assets import plotly_path

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 14px system-ui, sans-serif; margin: 24px; color: #1c2024; background: #fff }}
h1 {{ font-size: 20px }} h2 {{ font-size: 14px; font-weight: 600; overflow-wrap: anywhere }}
.figure {{ height: 420px }}
.events {{ margin: 0 0 24px 60px; padding: 0; list-style: none; color: #555d6b }}
</style>
<h1>{title}</h1>
{places}
<script>{library}</script>
<script>
const figures = {figures};
const margin = {{l: 60, r: 24, t: 8, b: 40}}, config = {{responsive: true, displayModeBar: false}};
figures.forEach((figure, i) =>
  Plotly.newPlot("figure-" + i, figure.data, {{...figure.layout, margin}}, config));
</script>
</html>
"""


def write_page(file: Path, title: str, figures: Sequence[tuple[str, Figure]]) -> None:
    """Write figures with their headings, and the library that draws them.

    Raises:
        BadInput: the file cannot be written.
    """
    places = "\n".join(
        f'<h2>{html.escape(heading)}</h2><div class="figure" id="figure-{i}"></div>'
        + _events(figure)
        for i, (heading, figure) in enumerate(figures)
    )
    # "</" inside a script would end it.
    data = json.dumps([figure for _, figure in figures]).replace("</", "<\\/")
    library = plotly_path().read_text(encoding="utf-8")
    page = _PAGE.format(title=html.escape(title), places=places, library=library, figures=data)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error}") from error


def _events(figure: Figure) -> str:
    """The events of a figure, as everybody can read them."""
    words = figure["layout"].get("meta", {}).get("events", [])
    rows = "".join(f"<li>{html.escape(each)}</li>" for each in words)
    return f'<ul class="events" aria-label="Events">{rows}</ul>' if rows else ""
