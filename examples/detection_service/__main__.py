"""``python -m detection_service serve | load | history``: see each one's ``--help``."""

import argparse
import os
import sys
import threading
from pathlib import Path

from detection_service.settings import DEFAULT_PASSWORD, NAME, Settings


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser("detection_service", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _serve_arguments(commands.add_parser("serve", help="run the service"))
    _load_arguments(commands.add_parser("load", help="send it traffic, until Ctrl-C"))
    _history_arguments(
        commands.add_parser(
            "history", help="write two days of its metrics, as they would have been"
        )
    )
    arguments = parser.parse_args()
    if arguments.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        sys.exit(130)
    except (ConnectionError, ValueError) as error:
        sys.exit(f"detection_service: {error}")


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with-parent",
        action="store_true",
        help="end when the standard input does, so as not to outlive who started this",
    )


def _serve_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument("--data-dir", type=Path, default=Path("detection-service-data"))
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME@AFTER+LASTS",
        help="switch a fault on after so many seconds, for so many; may be given again",
    )
    parser.set_defaults(run=_serve)


def _load_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    _url(parser)
    parser.add_argument("--rate", type=float, default=12.0, help="requests a second, on average")
    parser.set_defaults(run=_load)


def _history_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    _url(parser)
    parser.add_argument("--rate", type=float, default=12.0, help="requests a second, on average")
    parser.add_argument("--hours", type=float, default=48.0, help="how long ago it begins")
    parser.add_argument("--instance", default="127.0.0.1:8000", help="the label of its series")
    parser.add_argument("--output", type=Path, required=True, help="the CSV file to write")
    parser.set_defaults(run=_history)


def _url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the service is")


def _password() -> str:
    return os.environ.get("DETECTION_SERVICE_PASSWORD", DEFAULT_PASSWORD)


def _serve(arguments: argparse.Namespace) -> None:
    import uvicorn

    from detection_service.app import create_app
    from detection_service.faults import parse_schedule
    from pynomaly.observability import configure_logging, setup_tracing

    configure_logging(level="INFO", enable_correlation=True, service=NAME)
    setup_tracing({"service_name": NAME})
    settings = Settings(arguments.data_dir, port=arguments.port, password=_password())
    app = create_app(settings)
    for text in arguments.fault:
        app.state.service.switchboard.plan(*parse_schedule(text))
    uvicorn.run(app, host="127.0.0.1", port=settings.port, log_config=None)


def _load(arguments: argparse.Namespace) -> None:
    from detection_service.traffic import run

    run(arguments.url, _password(), arguments.rate)


def _history(arguments: argparse.Namespace) -> None:
    from detection_service.history import write

    write(
        arguments.url,
        _password(),
        arguments.output,
        hours=arguments.hours,
        rate=arguments.rate,
        instance=arguments.instance,
    )


def _end_with_parent() -> None:
    # Not by the buffer, whose lock would still be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


main()
