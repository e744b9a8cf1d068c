"""How commands read the times that they are given."""

import pytest
from typer.testing import CliRunner

from pynomaly.cli.commands import app
from pynomaly.cli.options import read_time


def test_a_time_is_so_long_ago_or_a_date_or_epoch_seconds() -> None:
    given = ["1h", "now", "1970-01-02", "500"]
    assert [read_time("--from", text, 10_000.0) for text in given] == [6400, 10_000, 86_400, 500]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["detect", "backtest", "up", "--from", "soon", "--to", "now"], "--from"),
        (["detect", "backtest", "up", "--from", "1h", "--to", "soon"], "--to"),
        (["query", "up", "--range", "5m", "--at", "soon"], "--at"),
        (["storage", "delete", "up", "--from", "soon", "--dry-run"], "--from"),
        (["routes", "backtest", "--from", "soon"], "--from"),
    ],
)
def test_what_is_no_time_is_refused_by_the_name_of_its_option(
    command: list[str], option: str
) -> None:
    done = CliRunner().invoke(app, command)
    assert done.exit_code != 0
    assert f"{option}: 'soon' is not a time such as 30d" in done.output
