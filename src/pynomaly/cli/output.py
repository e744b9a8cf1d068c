"""How commands show results and errors."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import typer
from rich.console import Console

from pynomaly.model.errors import PynomalyError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def errors_in_a_line() -> Generator[None, None, None]:
    """Show an error that a person can act on without a traceback, and exit with 1."""
    try:
        yield
    except PynomalyError as error:
        err.print("[bold red]error:[/]", end=" ")
        err.print(error.message, soft_wrap=True, markup=False)
        if error.hint:
            err.print(f"  {error.hint}", soft_wrap=True, markup=False)
        raise typer.Exit(1) from error


def is_terminal() -> bool:
    """Whether a person looks on: then colours and progress are of use."""
    return sys.stdout.isatty()
