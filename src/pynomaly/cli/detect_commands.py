"""``pynomaly detect …``: the commands, with their options.

What they do stands in ``anomalies``, ``anomaly_rules`` and ``detect_…``.
"""

from pathlib import Path
from typing import Annotated

import typer

from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.options import Json, Since, Until, Url
from pynomaly.cli.output import errors_in_a_line
from pynomaly.detection.events import Feedback
from pynomaly.detection.rules.config import Direction

detect_app = typer.Typer(help="Anomalies.", no_args_is_help=True, rich_markup_mode=None)
detect_rules_app = typer.Typer(
    help="What is told of the anomalies of some series.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
detect_app.add_typer(detect_rules_app, name="rules")


@detect_app.command(
    "backtest",
    epilog="Example: pynomaly detect backtest 'rate(http_requests_total[5m])' "
    "--from 2026-03-01T00:00:00Z --to 2026-03-15T00:00:00Z --step 1m --plot anomalies.html",
)
def detect_backtest(
    expr: Annotated[str, typer.Argument(help="PromQL.", metavar="QUERY")],
    from_: Since,
    to: Until,
    step: Annotated[str, typer.Option(help="One point every so long.")] = "1m",
    budget: Annotated[
        float,
        typer.Option(help="Events a week that a series without anomalies may have.", min=1e-6),
    ] = 0.1,
    timezone: Annotated[str, typer.Option(help="Whose hours and weekdays seasons follow.")] = "UTC",
    events: Annotated[
        bool,
        typer.Option("--events/--no-events", help="Leave out what events of the calendar exclude."),
    ] = True,
    plot: Annotated[
        Path | None, typer.Option(help="Write charts to this page.", metavar="FILE")
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Which anomalies would have been told of stored history, and how many by other budgets."""
    from pynomaly.cli.detect_backtest import run

    with errors_in_a_line():
        run(
            url,
            expr,
            from_=from_,
            to=to,
            step=step,
            budget=budget,
            timezone=timezone,
            plot=plot,
            events=events,
            as_json=as_json,
        )


@detect_app.command("list", epilog="Example: pynomaly detect list --service shop --since 24h")
def detect_list(
    service: Annotated[str, typer.Option(help="Only of this service.")] = "",
    since: Annotated[
        str, typer.Option(help="Those that lasted at some time since, such as 24h.")
    ] = "24h",
    flat: Annotated[
        bool, typer.Option("--flat", help="Each series by itself, not what moved together as one.")
    ] = False,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Anomalies of all series, the newest first, with what was expected and why.

    What began together in related series is one, with its series below it.
    """
    from pynomaly.cli.anomalies import show

    with errors_in_a_line():
        show(url, service=service, since=since, as_json=json_, flat=flat)


@detect_app.command("feedback", epilog="Example: pynomaly detect feedback 9f2c4e0d1b6a7788 false")
def detect_feedback(
    id_: Annotated[str, typer.Argument(help="Its id, as list tells it.", metavar="ID")],
    feedback: Annotated[
        Feedback, typer.Argument(help="Whether it was worth knowing.", metavar="real|false|none")
    ],
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Say whether an anomaly was real. After a false one its series is harder to find odd."""
    from pynomaly.cli.anomalies import judge

    with errors_in_a_line():
        judge(url, id_, feedback.value, as_json=json_)


@detect_app.command(
    "score", epilog="Example: pynomaly detect score metrics/ --out scored/ --budget 0.1"
)
def detect_score(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A CSV file, or a folder of them.")],
    target: Annotated[
        Path, typer.Option("--out", metavar="OUT", help="Where the copies with scores go.")
    ],
    budget: Annotated[
        float,
        typer.Option(help="Events a week that a series without anomalies may have.", min=1e-6),
    ] = 0.1,
    timestamp: Annotated[
        str, typer.Option("--timestamp-column", help="The column of times.")
    ] = "timestamp",
    value: Annotated[str, typer.Option("--value-column", help="The column of values.")] = "value",
    timezone: Annotated[
        str, typer.Option(help="The zone of times that are epochs, for hours and weekdays.")
    ] = "UTC",
    holidays: Annotated[
        str,
        typer.Option(
            help="Whose public holidays are like Sundays: DE, or a part of it: DE-BY. [none]",
            metavar="COUNTRY",
            show_default=False,
        ),
    ] = "",
    jobs: Annotated[int, typer.Option(help="Processes [one for each processor].", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Score the rows of CSV files, each by the rows up to it, without a server.

    Each file needs the columns timestamp and value. Its copy has the same rows with
    anomaly_score, anomaly_expected, anomaly_lower, anomaly_upper and anomaly_event added; the
    last is 0 but where an anomaly begins or grows, there it is how sure that is.
    """
    from pynomaly.cli import detect_score as command

    with errors_in_a_line():
        choices = command.Choices(timestamp, value, timezone, budget, holidays)
        command.run(source, target, choices, jobs=jobs, as_json=as_json)


@detect_rules_app.command("list", epilog="Example: pynomaly detect rules list")
def detect_rules_list(url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """The rules that hold: those of the configuration, then those that people made."""
    from pynomaly.cli import anomaly_rules

    with errors_in_a_line():
        anomaly_rules.show(url, as_json=as_json)


@detect_rules_app.command(
    "add",
    epilog="Example: pynomaly detect rules add service=shop '__name__=~\"queue_.*\"' "
    "--direction above --min-deviation 50",
)
def detect_rules_add(
    matchers: Annotated[
        list[str],
        typer.Argument(help='Which series, such as service="shop"; all must match.'),
    ],
    direction: Annotated[
        Direction | None, typer.Option(help="Tell only what is above expected, or below.")
    ] = None,
    min_deviation: Annotated[
        float | None, typer.Option(help="Tell only what is at least so far from expected.", min=0)
    ] = None,
    min_relative_deviation: Annotated[
        float | None, typer.Option(help="The same as a share of what was expected.", min=0)
    ] = None,
    traffic_metric: Annotated[
        str, typer.Option(help="Tell only while this metric of the same labels is high enough.")
    ] = "",
    traffic_query: Annotated[str, typer.Option(help="Or while this PromQL expression is.")] = "",
    traffic_at_least: Annotated[
        float | None, typer.Option(help="How high that is; of a counter, a second.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Anomalies a week that a series in order may have.")
    ] = None,
    ignore: Annotated[bool, typer.Option("--ignore", help="Tell nothing of these series.")] = False,
    comment: Annotated[str | None, typer.Option(help="Why, for others.")] = None,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Make a rule, which holds at once and is kept. The strictest of all that match counts."""
    from pynomaly.cli import anomaly_rules

    with errors_in_a_line():
        anomaly_rules.add(
            url,
            matchers,
            as_json=as_json,
            direction=direction.value if direction else None,
            min_deviation=min_deviation,
            min_relative_deviation=min_relative_deviation,
            min_traffic=anomaly_rules.traffic(traffic_metric, traffic_query, traffic_at_least),
            budget=budget,
            ignore=ignore or None,
            comment=comment,
        )


@detect_rules_app.command("remove", epilog="Example: pynomaly detect rules remove 9f2c4e0d1b6a7788")
def detect_rules_remove(
    id_: Annotated[str, typer.Argument(help="Its id, as list tells it.", metavar="ID")],
    url: Url = DEFAULT_URL,
) -> None:
    """Remove a rule, at once."""
    from pynomaly.cli import anomaly_rules

    with errors_in_a_line():
        anomaly_rules.remove(url, id_)


@detect_app.command("models", epilog="Example: pynomaly detect models")
def detect_models(url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """Show the versions of the models of watched queries, with backtest and drift."""
    from pynomaly.cli import detect_models as command

    with errors_in_a_line():
        command.show(url, as_json=as_json)


@detect_app.command("train", epilog="Example: pynomaly detect train checkout_latency")
def detect_train(
    query: Annotated[str, typer.Argument(help="The name of a watched query.")],
    url: Url = DEFAULT_URL,
    wait: Annotated[bool, typer.Option(help="Wait until it is done.")] = True,
) -> None:
    """Train a watched query on its history now."""
    from pynomaly.cli import detect_models as command

    with errors_in_a_line():
        command.train(url, query, wait=wait)


@detect_app.command(
    "rollback", epilog="Example: pynomaly detect rollback checkout_latency seasonal --version 2"
)
def detect_rollback(
    query: Annotated[str, typer.Argument(help="The name of a watched query.")],
    algorithm: Annotated[str, typer.Argument(help="Whose model.")],
    version: Annotated[
        int, typer.Option(help="Which version to use [the one before that in use].", min=0)
    ] = 0,
    url: Url = DEFAULT_URL,
) -> None:
    """Judge a watched query by an older version of its model."""
    from pynomaly.cli import detect_models as command

    with errors_in_a_line():
        command.roll_back(url, query, algorithm, version)
