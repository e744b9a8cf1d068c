"""``pynomaly rules …``: the commands, with their options.

What they do stands in ``rules_files``, ``rules_backtest`` and ``rules_lint``.
"""

from pathlib import Path
from typing import Annotated

import typer

from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.options import Json, Since, Until, Url
from pynomaly.cli.output import errors_in_a_line

rules_app = typer.Typer(help="Rules.", no_args_is_help=True, rich_markup_mode=None)

RuleFiles = Annotated[
    list[str], typer.Argument(help="Files, with wildcards if you like.", metavar="FILE…")
]


@rules_app.command("check", epilog="Example: pynomaly rules check config/rules/*.yml")
def rules_check(files: RuleFiles, as_json: Json = False) -> None:
    """Say whether rule files are valid, with file, line and fault of what is not."""
    from pynomaly.cli.rules_files import check

    with errors_in_a_line():
        sound = check(files, as_json=as_json)
    if not sound:
        raise typer.Exit(1)


@rules_app.command("test", epilog="Example: pynomaly rules test tests/*.test.yml --run disk")
def rules_test(
    files: RuleFiles,
    run: Annotated[
        str | None, typer.Option(help="Only tests whose name matches.", metavar="REGEX")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run unit tests of rules: the files that promtool takes, with its verdicts."""
    from pynomaly.cli.rules_files import test

    with errors_in_a_line():
        sound = test(files, run, as_json=as_json)
    if not sound:
        raise typer.Exit(1)


@rules_app.command(
    "backtest",
    epilog="Example: pynomaly rules backtest rules.yml --from 30d --sweep threshold=0.8,0.9 "
    "--sweep for=1m,5m --plot backtest.html",
)
def rules_backtest(
    file: Annotated[Path, typer.Argument(help="A rule file.", metavar="RULES")],
    from_: Since = "7d",
    to: Until = "now",
    alert: Annotated[str, typer.Option(help="Only this alert.", metavar="NAME")] = "",
    sweep: Annotated[
        list[str] | None,
        typer.Option(help="Values to try: threshold=0.8,0.9 or for=1m,5m.", metavar="WHAT=VALUES"),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another version, to compare with.", metavar="OTHER")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of times, hours and weeks.")] = "UTC",
    plot: Annotated[
        Path | None, typer.Option(help="Write figures to this HTML file.", metavar="FILE")
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Say when rules would have fired, from stored history.

    Nothing is written: what recording rules give is seen by the rules after them only.
    """
    from pynomaly.cli.rules_backtest import run

    with errors_in_a_line():
        run(
            url,
            file,
            from_=from_,
            to=to,
            alert=alert,
            sweep=sweep or [],
            against=against,
            timezone=timezone,
            plot=plot,
            as_json=as_json,
        )


@rules_app.command(
    "lint", epilog="Example: pynomaly rules lint rules/*.yml --url http://localhost:9090"
)
def rules_lint(
    files: RuleFiles,
    url: Annotated[
        str | None,
        typer.Option(help="A server, ours or any Prometheus, whose series prove the findings."),
    ] = None,
    severity: Annotated[
        str, typer.Option(help="The least that is shown: error, warning or note.")
    ] = "note",
    fail_on: Annotated[
        str, typer.Option(help="The least that exits with 1: error, warning or note.")
    ] = "error",
    form: Annotated[
        str, typer.Option("--format", help="text, json, sarif or github.", metavar="FORMAT")
    ] = "text",
) -> None:
    """Find what is wrong with rules although they are valid, with the corrected expression.

    `# pynomaly:ignore CHECK -- why`, on or above a rule, disables one check on it.
    """
    from pynomaly.cli.rules_lint import lint_files

    with errors_in_a_line():
        sound = lint_files(files, url=url, least=severity, fail_on=fail_on, form=form)
    if not sound:
        raise typer.Exit(1)
