"""Where the demo plays: its folder, its files, its ports, and the commands of its processes."""

import importlib.util
import secrets
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from pynomaly.cli.demo.processes import Process, environment
from pynomaly.model.errors import BadInput, PynomalyError
from pynomaly.server.environment import VARIABLES

INSTANCE = "detection-1"
_HOST = "127.0.0.1"
_WEB_PORT, _API_PORT = 8080, 8090

_IMPORTING = """\
# For the import of history: nothing is measured, judged or told yet.
components:
  anomaly_detection: {enabled: false}
host_metrics: {enabled: false}
rules: {defaults: [none]}
"""
_WATCHING = """\
components:
  metrics: {config_file: prometheus.yml}
  anomaly_detection: {interval: 10s}  # a newcomer does not wait for the usual 30 s
rules:
  rule_files: [rules.yml]
"""
_SCRAPING = """\
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: detection-service
    static_configs:
      - targets: ["{address}"]
        labels: {{instance: {instance}}}
"""


class NotInstalled(PynomalyError):
    """The libraries of the demo's service are not there."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the product and the service listen, on 127.0.0.1."""

    api: int
    web: int
    service: int


def check_installed() -> None:
    """See that the service can run.

    Raises:
        NotInstalled: scikit-learn is missing.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise NotInstalled(
            "The demo needs scikit-learn, which is not installed.",
            hint="Install it: pip install 'pynomaly-monitoring[demo]'",
        )


def examples() -> Path:
    """The folder with the package ``detection_service``: beside ours, or in the checkout."""
    package = Path(__file__).parents[2]
    places = (package / "examples", package.parents[1] / "examples")
    found = next((place for place in places if (place / "detection_service").is_dir()), None)
    if found is None:
        raise NotInstalled("The demo's service is missing from this installation of Pynomaly.")
    return found


def choose_ports(api: int | None, web: int | None, service: int | None) -> Ports:
    """The ports that were asked for; where none was, the usual ones, or any that are free.

    Raises:
        BadInput: one that was asked for is taken, or two are the same.
    """
    wanted = {"--api-port": api, "--web-port": web, "--service-port": service}
    asked = {option: port for option, port in wanted.items() if port is not None}
    if len(set(asked.values())) < len(asked):
        raise BadInput("The ports must differ.")
    for option, port in asked.items():
        if not _is_free(port):
            raise BadInput(f"{option}: {port} is taken.", hint="Leave it out, or take another.")
    given = [*asked.values()]
    chosen = [_choose(api, _API_PORT, given)]
    chosen.append(_choose(web, _WEB_PORT, [*given, *chosen]))
    chosen.append(_choose(service, 0, [*given, *chosen]))
    return Ports(*chosen)


def _choose(asked: int | None, usual: int, taken: list[int]) -> int:
    if asked is not None:
        return asked
    if usual and usual not in taken and _is_free(usual):
        return usual
    while True:
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


class Stage:
    """The demo's folder, and how each of its processes is started in it."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.folder, self.ports = folder, ports
        self.api = f"http://{_HOST}:{ports.api}"
        self.web = f"http://{_HOST}:{ports.web}"
        self.service = f"http://{_HOST}:{ports.service}"
        self.history = folder / "history.csv"
        self._examples = examples()
        # Logins of a service that others on this machine can reach, too.
        self._password = secrets.token_urlsafe()
        self._write()

    def _write(self) -> None:
        address = f"{_HOST}:{self.ports.service}"
        rules = self._examples / "detection_service" / "rules.yml"
        shutil.copyfile(rules, self.folder / "rules.yml")
        (self.folder / "importing.yml").write_text(_IMPORTING, "utf-8")
        (self.folder / "pynomaly.yml").write_text(_WATCHING, "utf-8")
        scraping = _SCRAPING.format(address=address, instance=INSTANCE)
        (self.folder / "prometheus.yml").write_text(scraping, "utf-8")

    def start_product(self, *, importing: bool = False) -> Process:
        """Start the product as ``pynomaly up`` does; to import history only, or in full."""
        arguments = ["-m", "pynomaly", "up", "--data-dir", "data"]
        arguments += ["--config", "importing.yml" if importing else "pynomaly.yml"]
        arguments += ["--api-port", str(self.ports.api), "--web-port", str(self.ports.web)]
        # What the newcomer's shell says is about another Pynomaly.
        environ = environment([variable.name for variable in VARIABLES])
        return Process("Pynomaly", arguments, self.folder / "pynomaly.log", environ)

    def start_service(self) -> Process:
        """Start the service."""
        arguments = ["serve", "--data-dir", "service", "--port", str(self.ports.service)]
        return self._of_service("The service", arguments, "service.log")

    def start_load(self) -> Process:
        """Start its traffic."""
        return self._of_service("The traffic", ["load", "--url", self.service], "traffic.log")

    def start_history(self, hours: float) -> Process:
        """Start the rehearsal that writes the history of so many hours."""
        arguments = ["history", "--url", self.service, "--hours", str(hours)]
        arguments += ["--instance", INSTANCE, "--output", str(self.history)]
        return self._of_service("The rehearsal", arguments, "history.log")

    def _of_service(self, name: str, arguments: list[str], log: str) -> Process:
        command, *options = arguments
        environ = environment(
            [],
            PYTHONPATH=str(self._examples),
            PYTHONDONTWRITEBYTECODE="1",
            DETECTION_SERVICE_PASSWORD=self._password,
            OTEL_TRACES_EXPORTER="none",  # nobody takes spans here
        )
        whole = ["-m", "detection_service", command, "--with-parent", *options]
        return Process(name, whole, self.folder / log, environ)

    def explore(self, expr: str, span: str) -> str:
        """The address of the explorer with an expression over a span such as ``15m``."""
        return f"{self.web}/explore?{urlencode({'q': expr, 'range': span}, safe=':')}"


def make_folder(kept: Path | None) -> Path:
    """The folder that is asked for, empty, or a new temporary one.

    Raises:
        BadInput: there is something in it.
    """
    if kept is None:
        return Path(tempfile.mkdtemp(prefix="pynomaly-demo-"))
    kept = kept.absolute()
    kept.mkdir(parents=True, exist_ok=True)
    if any(kept.iterdir()):
        raise BadInput(f"--keep: {kept} is not empty.", hint="Name a new folder.")
    return kept
