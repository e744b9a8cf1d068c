"""Every command, with its options. What they do stands in the modules that they call."""

from pathlib import Path
from typing import Annotated

import typer

from pynomaly import __version__
from pynomaly.cli.alert_commands import alerts_app
from pynomaly.cli.client import DEFAULT_URL
from pynomaly.cli.event_commands import events_app
from pynomaly.cli.options import Json, Url
from pynomaly.cli.output import errors_in_a_line, out
from pynomaly.detection.events import Feedback
from pynomaly.detection.rules.config import Direction
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
storage_app = typer.Typer(help="The store.", no_args_is_help=True, rich_markup_mode=None)
rules_app = typer.Typer(help="Rules.", no_args_is_help=True, rich_markup_mode=None)
routes_app = typer.Typer(
    help="Where alerts go, by an alertmanager.yml.", no_args_is_help=True, rich_markup_mode=None
)
notify_app = typer.Typer(
    help="Receivers of notifications.", no_args_is_help=True, rich_markup_mode=None
)
dead_app = typer.Typer(
    help="Notifications that could not be delivered.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")
app.add_typer(alerts_app, name="alerts")
app.add_typer(notify_app, name="notify")
notify_app.add_typer(dead_app, name="dead")
detect_app = typer.Typer(help="Anomalies.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(detect_app, name="detect")
detect_rules_app = typer.Typer(
    help="What is told of the anomalies of some series.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
detect_app.add_typer(detect_rules_app, name="rules")
app.add_typer(events_app, name="events")
app.add_typer(routes_app, name="routes")
app.add_typer(rules_app, name="rules")
app.add_typer(storage_app, name="storage")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="A file like config/advanced_monitoring.yml.", metavar="FILE"),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where everything is kept.", metavar="DIR")
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


@notify_app.command(
    "test",
    epilog="Example: pynomaly notify test slack, or without a server: pynomaly notify test webhook "
    "--set url=http://127.0.0.1:9000/hook",
)
def notify_test(
    channel: Annotated[
        str,
        typer.Argument(
            help="A receiver, one of its integrations (ops/slack[0]), or a kind of channel.",
            metavar="CHANNEL",
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option("--file", help="An alertmanager.yml to send by, from here.", metavar="FILE"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the channel, to send by; repeat it."),
    ] = None,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Send a test notification through what is configured, and say what happened.

    The running server sends, unless --file or --set say by what to send from here. What opens an
    incident is told at once that it is over. Exits with 1 unless it was taken.
    """
    from pynomaly.cli.notify import test

    with errors_in_a_line():
        taken = test(url, channel, file=file, settings=set_ or (), as_json=json_)
    raise typer.Exit(0 if taken else 1)


DeadLetterId = Annotated[
    str, typer.Argument(help="Its id, or how that begins.", metavar="ID", show_default=False)
]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]


@dead_app.command("list", epilog="Example: pynomaly notify dead list --json")
def notify_dead_list(json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """What could not be delivered, the newest first."""
    from pynomaly.cli.notify import dead_list

    with errors_in_a_line():
        dead_list(url, as_json=json_)


@dead_app.command("resend", epilog="Example: pynomaly notify dead resend 3f9c")
def notify_dead_resend(
    id_: DeadLetterId = "", all_: Every = False, json_: Json = False, url: Url = DEFAULT_URL
) -> None:
    """Try once more. What is delivered leaves the list. Exits with 1 unless all were."""
    from pynomaly.cli.notify import dead_resend

    with errors_in_a_line():
        taken = dead_resend(url, id_, every=all_, as_json=json_)
    raise typer.Exit(0 if taken else 1)


@dead_app.command("drop", epilog="Example: pynomaly notify dead drop --all")
def notify_dead_drop(
    id_: DeadLetterId = "", all_: Every = False, json_: Json = False, url: Url = DEFAULT_URL
) -> None:
    """Forget it. A group that still has something to tell is tried again by its own timers."""
    from pynomaly.cli.notify import dead_drop

    with errors_in_a_line():
        dead_drop(url, id_, every=all_, as_json=json_)


@storage_app.command(
    "verify", epilog="Example: pynomaly storage verify --data-dir pynomaly-data --json"
)
def storage_verify(data_dir: DataDir = None, json_: Json = False, url: Url = DEFAULT_URL) -> None:
    """Count raw rows, duplicates, series without samples and the reverse.

    Asks the running server, or opens the folder of --data-dir when none runs on it.
    Exits with 1 when something is wrong.
    """
    from pynomaly.cli.storage import verify

    with errors_in_a_line():
        sound = verify(url, data_dir, as_json=json_)
    raise typer.Exit(0 if sound else 1)


@storage_app.command(
    "delete",
    epilog="Example: pynomaly storage delete 'http_requests_total{job=\"old\"}' --from 30d "
    "--to 2026-01-31T12:00:00Z",
)
def storage_delete(
    selector: Annotated[
        str, typer.Argument(help="Which series, as in PromQL.", metavar="SELECTOR")
    ],
    from_: Annotated[
        str,
        typer.Option(
            "--from", help="Since when: 30d ago, RFC 3339 or epoch seconds [the beginning]."
        ),
    ] = "",
    to: Annotated[str, typer.Option(help="Until when [the end].")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    data_dir: DataDir = None,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Delete samples for good, after saying how many and asking.

    The running server must have --enable-admin-api; or stop it and name its --data-dir.
    """
    from pynomaly.cli.storage import delete

    with errors_in_a_line():
        delete(
            url,
            data_dir,
            selector,
            since=from_,
            until=to,
            yes=yes,
            dry_run=dry_run,
            as_json=json_,
        )


@storage_app.command("snapshot", epilog="Example: pynomaly storage snapshot --json")
def storage_snapshot(
    skip_head: Annotated[
        bool, typer.Option("--skip-head", help="Without the newest samples, which are in the log.")
    ] = False,
    data_dir: DataDir = None,
    json_: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Copy the store aside, by links, while samples come in. The copy is a data folder.

    The running server must have --enable-admin-api; or stop it and name its --data-dir.
    """
    from pynomaly.cli.storage import snapshot

    with errors_in_a_line():
        snapshot(url, data_dir, skip_head=skip_head, as_json=json_)


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


RuleFiles = Annotated[
    list[str], typer.Argument(help="Files, with wildcards if you like.", metavar="FILE…")
]


AlertmanagerFile = Annotated[
    Path | None,
    typer.Argument(help="An alertmanager.yml [the configured one].", metavar="[FILE]"),
]


@routes_app.command("show", epilog="Example: pynomaly routes show alertmanager.yml")
def routes_show(file: AlertmanagerFile = None, as_json: Json = False) -> None:
    """Draw the routing tree, with the timers of each route."""
    from pynomaly.cli.routes import show

    with errors_in_a_line():
        show(file, as_json=as_json)


@routes_app.command(
    "test",
    epilog="Example: pynomaly routes test alertmanager.yml severity=critical team=db "
    "--verify.receivers pager",
)
def routes_test(
    labels: Annotated[
        list[str] | None,
        typer.Argument(
            help="An alertmanager.yml [the configured one], then labels of an alert: name=value.",
            metavar="[FILE] LABEL...",
        ),
    ] = None,
    receivers: Annotated[
        str | None,
        typer.Option(
            "--verify.receivers", help="Exit with 1 unless it is these, with commas between."
        ),
    ] = None,
    tree: Annotated[bool, typer.Option("--tree", help="Draw the routes that it takes.")] = False,
    at: Annotated[str, typer.Option(help="When: matters where routes have intervals.")] = "now",
    as_json: Json = False,
) -> None:
    """Say which receivers an alert with these labels goes to, as `amtool config routes test`."""
    from pynomaly.cli.routes import test

    given = labels or []
    named = given and ("=" not in given[0] or Path(given[0]).is_file())
    file = Path(given[0]) if named else None
    with errors_in_a_line():
        good = test(
            file,
            given[1:] if file else given,
            receivers=receivers,
            tree=tree,
            at=at,
            as_json=as_json,
        )
    if not good:
        raise typer.Exit(1)


@routes_app.command("check", epilog="Example: pynomaly routes check alertmanager.yml")
def routes_check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")], as_json: Json = False
) -> None:
    """Say whether files can be used, as `amtool check-config`, and what is odd in them."""
    from pynomaly.cli.routes import check

    with errors_in_a_line():
        good = check(files, as_json=as_json)
    if not good:
        raise typer.Exit(1)


@routes_app.command(
    "backtest",
    epilog="Example: pynomaly routes backtest alertmanager.yml --from 30d --against new.yml",
)
def routes_backtest(
    file: AlertmanagerFile = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="Alerts of these rules [those that fired].", metavar="RULES"),
    ] = None,
    from_: Annotated[
        str, typer.Option("--from", help="Since when: 30d ago, RFC 3339 or epoch seconds.")
    ] = "7d",
    to: Annotated[str, typer.Option(help="Until when.")] = "now",
    against: Annotated[
        Path | None, typer.Option(help="Another alertmanager.yml, to compare.", metavar="OTHER")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of times, hours and nights.")] = "UTC",
    as_json: Json = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Say who would have been told of alerts of the past, how often, and at what hours."""
    from pynomaly.cli.routes_backtest import run

    with errors_in_a_line():
        run(
            url,
            file,
            rules=rules,
            from_=from_,
            to=to,
            against=against,
            timezone=timezone,
            as_json=as_json,
        )


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
    from_: Annotated[
        str, typer.Option("--from", help="Since when: 30d ago, RFC 3339 or epoch seconds.")
    ] = "7d",
    to: Annotated[str, typer.Option(help="Until when.")] = "now",
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


@detect_app.command(
    "backtest",
    epilog="Example: pynomaly detect backtest 'rate(http_requests_total[5m])' "
    "--from 2026-03-01T00:00:00Z --to 2026-03-15T00:00:00Z --step 1m --plot anomalies.html",
)
def detect_backtest(
    expr: Annotated[str, typer.Argument(help="PromQL.", metavar="QUERY")],
    from_: Annotated[str, typer.Option("--from", help="RFC 3339 or epoch seconds.")],
    to: Annotated[str, typer.Option("--to", help="RFC 3339 or epoch seconds.")],
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
