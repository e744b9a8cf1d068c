"""Every command: those that stand alone, with their options, and the groups of the others.

What they do stands in the modules that they call.
"""

from pathlib import Path
from typing import Annotated

import typer

from pynomaly import __version__
from pynomaly.cli.alert_commands import alerts_app
from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.detect_commands import detect_app
from pynomaly.cli.event_commands import events_app
from pynomaly.cli.notify_commands import notify_app
from pynomaly.cli.options import DataDir, Json, Url
from pynomaly.cli.output import errors_in_a_line, out
from pynomaly.cli.routes_commands import routes_app
from pynomaly.cli.rules_commands import rules_app
from pynomaly.cli.storage_commands import storage_app
from pynomaly.model.errors import BadInput

app = typer.Typer(
    name="pynomaly",
    help="Monitoring with judgement in one process: metrics in, PromQL out, anomalies, alerts, "
    "live pages.",
    epilog="Start with `pynomaly up`; every other command talks to the running server.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="The configuration.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(alerts_app, name="alerts")
app.add_typer(notify_app, name="notify")
app.add_typer(detect_app, name="detect")
app.add_typer(events_app, name="events")
app.add_typer(routes_app, name="routes")
app.add_typer(rules_app, name="rules")
app.add_typer(storage_app, name="storage")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="A file like config/advanced_monitoring.yml.", metavar="FILE"),
]


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"pynomaly {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Options that every command has."""


@app.command(epilog="Example: pynomaly up --prometheus-config prometheus.yml")
def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    api_port: Annotated[int | None, typer.Option(help="What machines speak [8090].")] = None,
    web_port: Annotated[int | None, typer.Option(help="What people see [8080].")] = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    prometheus: Annotated[
        str | None,
        typer.Option(help="Work on this Prometheus instead of a store of our own.", metavar="URL"),
    ] = None,
    prometheus_config: Annotated[
        Path | None, typer.Option(help="A prometheus.yml to scrape by.", metavar="FILE")
    ] = None,
    alertmanager_config: Annotated[
        Path | None, typer.Option(help="An alertmanager.yml to tell of alerts by.", metavar="FILE")
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option(help="Where alerts are POSTed, as Alertmanager does.")
    ] = None,
    enable_admin_api: Annotated[
        bool | None,
        typer.Option("--enable-admin-api", help="Let the API delete series and take snapshots."),
    ] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM. SIGHUP reloads the configuration."""
    from pynomaly.cli.up import run_until_stopped

    options = {
        "host": host,
        "api_port": api_port,
        "web_port": web_port,
        "data_dir": data_dir,
        "prometheus": prometheus,
        "prometheus_config": prometheus_config,
        "alertmanager_config": alertmanager_config,
        "webhook_url": webhook_url,
        "enable_admin_api": enable_admin_api,
    }
    with errors_in_a_line():
        run_until_stopped(config, {k: v for k, v in options.items() if v is not None})


@app.command(epilog="Example: pynomaly demo --fault error-burst --after 30s")
def demo(
    fault: Annotated[
        str,
        typer.Option(
            help="What breaks: slow-database, error-burst, memory-leak, disk-filling, brute-force, "
            "model-drift, crash, or none.",
            metavar="NAME",
        ),
    ] = "slow-database",
    after: Annotated[
        str, typer.Option(help="When it breaks, after the start.", metavar="DURATION")
    ] = "60s",
    lasts: Annotated[str, typer.Option("--for", help="For how long.", metavar="DURATION")] = "60s",
    history: Annotated[
        str, typer.Option(help="How much history is imported.", metavar="DURATION")
    ] = "2d",
    api_port: Annotated[
        int | None, typer.Option(help="What machines speak [8090, or any that is free].")
    ] = None,
    web_port: Annotated[
        int | None, typer.Option(help="What people see [8080, or any that is free].")
    ] = None,
    service_port: Annotated[
        int | None, typer.Option(help="Where the service listens [any that is free].")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep everything in this new folder, for later.", metavar="DIR"),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Stop when what broke is well again.")
    ] = False,
) -> None:
    """See it work in three minutes: a service with two days of history, which breaks.

    Starts Pynomaly beside a small service with traffic, switches a fault on, and tells what comes:
    the anomaly, the alert, the recovery. Ctrl-C stops it and leaves nothing behind.
    """
    from pynomaly.cli.demo.run import Options, run

    with errors_in_a_line():
        run(
            Options.of(
                fault=fault,
                after=after,
                lasts=lasts,
                history=history,
                api_port=api_port,
                web_port=web_port,
                service_port=service_port,
                keep=keep,
                once=once,
            )
        )


@app.command(epilog="Example: pynomaly query 'sum by (job) (up)' --range 1h --step 1m")
def query(
    expr: Annotated[str, typer.Argument(help="PromQL.", metavar="EXPR")],
    at: Annotated[str, typer.Option(help="When: RFC 3339 or epoch seconds [now].")] = "",
    range_: Annotated[
        str, typer.Option("--range", help="Over how long until then, such as 1h [an instant].")
    ] = "",
    step: Annotated[str, typer.Option(help="One value every so long [a 60th of the range].")] = "",
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Ask in PromQL; a range is drawn."""
    from pynomaly.cli.query import show

    with errors_in_a_line():
        show(url, expr, at=at, over=range_, step=step, as_json=json_)


@app.command(epilog="Example: pynomaly status --json")
def status(json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """How the server and its parts are. Exits with 1 unless it is healthy."""
    from pynomaly.cli.status import show

    with errors_in_a_line():
        healthy = show(url, as_json=json_)
    raise typer.Exit(0 if healthy else 1)


@app.command(epilog="Example: pynomaly explain 'instance=\"db-1\"'")
def explain(
    alert: Annotated[
        str,
        typer.Argument(
            help="Its fingerprint, or a matcher that means one firing alert.", metavar="ALERT"
        ),
    ],
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Why somebody was told of an alert, or not: its way to each receiver."""
    from pynomaly.cli.explain import show

    with errors_in_a_line():
        show(url, alert, as_json=json_)


@app.command("import", epilog="Example: pynomaly import history.om.gz")
def import_(
    file: Annotated[str, typer.Argument(help="OpenMetrics or CSV; - is stdin.", metavar="FILE")],
    format_: Annotated[
        str, typer.Option("--format", help="csv or openmetrics [by the file's name].")
    ] = "",
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Import history, with its own timestamps."""
    from pynomaly.cli.import_command import run

    with errors_in_a_line():
        run(url, file, format_=format_, as_json=json_)


@config_app.command("check", epilog="Example: pynomaly config check --config my.yml")
def config_check(config: ConfigFile = None, json_: Json = False) -> None:
    """Say whether the configuration and the files it names can be used, and what has no effect."""
    from pynomaly.cli.config import check

    with errors_in_a_line():
        check(config, as_json=json_)


@app.command(
    epilog="Example: pynomaly conformance --promqltest ../prometheus, or with --compliance "
    "promql-test-queries.yml --reference http://localhost:9090"
)
def conformance(
    promqltest: Annotated[
        Path | None,
        typer.Option(help="A checkout of prometheus/prometheus, or its testdata.", metavar="DIR"),
    ] = None,
    compliance: Annotated[
        Path | None,
        typer.Option(help="The test queries of prometheus/compliance.", metavar="FILE"),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The server to compare with.", metavar="URL")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how far our PromQL is Prometheus's: runs a suite on a store that is thrown away.

    Exits with 1 if something differs. What is left out on purpose is counted by its name.
    """
    from pynomaly.cli.conformance import judge_beside, judge_scripts

    with errors_in_a_line():
        if promqltest is not None:
            sound = judge_scripts(promqltest, as_json=as_json)
        elif compliance is not None and reference is not None:
            sound = judge_beside(reference, compliance, as_json=as_json)
        else:
            raise BadInput("Give --promqltest DIR, or --compliance FILE with --reference URL.")
    if not sound:
        raise typer.Exit(1)
