"""Plotly figures as plain JSON-ready dictionaries, made from arrays. No I/O."""
