"""The demo before it begins: its options, files and ports, and what it needs."""

import importlib.util
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from detection_service.app import create_app
from detection_service.settings import NAME, Settings
from pynomaly.cli.commands import app
from pynomaly.cli.demo.faults import DEFAULT, FAULTS
from pynomaly.cli.demo.stage import Stage, choose_ports, examples
from pynomaly.model.errors import BadInput
from pynomaly.observability import MetricsCollector
from pynomaly.rules.config import load_rules
from pynomaly.rules.defaults import default_groups
from pynomaly.server.config import load_configuration
from pynomaly.server.files import load_named_files

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["demo", *arguments], env={"COLUMNS": "200"})
    return done.exit_code, done.output


def test_its_help_has_an_example_and_names_every_fault() -> None:
    status, text = run("--help")
    assert status == 0
    assert "Example: pynomaly demo" in text
    assert all(name in text for name in FAULTS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fault", "earthquake"), "There is no fault 'earthquake'."),
        (("--after", "soon"), "--after: 'soon' is not a duration"),
        (("--for", "0"), "--for: 0 is too short."),
        (("--history", "1m"), "--history: 1m is too short."),
        (("--api-port", "7", "--web-port", "7"), "The ports must differ."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    status, text = run(*arguments)
    assert (status, "Traceback" in text) == (1, False)
    assert said in text


def test_without_its_libraries_it_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    status, text = run()
    assert status == 1
    assert "pip install 'pynomaly-monitoring[demo]'" in text


def test_a_folder_to_keep_must_be_new(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    status, text = run("--keep", str(tmp_path))
    assert (status, "is not empty" in text) == (1, True)
    assert (tmp_path / "precious").exists()


def test_ports_that_were_asked_for_are_taken_or_refused(free_port: Callable[[], int]) -> None:
    wanted = free_port()
    ports = choose_ports(wanted, None, None)
    assert ports.api == wanted
    assert len({ports.api, ports.web, ports.service}) == 3
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        with pytest.raises(BadInput, match="--web-port"):
            choose_ports(None, held.getsockname()[1], None)
    with pytest.raises(BadInput, match="differ"):
        choose_ports(wanted, wanted, None)


def test_the_usual_ports_give_way_to_who_has_them(free_port: Callable[[], int]) -> None:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", 8080))
            held.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        assert choose_ports(None, None, None).web != 8080


def test_every_fault_is_one_of_the_services_with_alerts_that_have_runbooks(tmp_path: Path) -> None:
    service = create_app(Settings(tmp_path), MetricsCollector(CollectorRegistry())).state.service
    assert list(FAULTS) == list(service.switchboard.faults)
    service.close()
    assert DEFAULT in FAULTS
    text = (examples() / "detection_service" / "rules.yml").read_text()
    rules = [r for g in [*load_rules(text, "rules.yml"), *default_groups()] for r in g.rules]
    runbooks = {r.alert: r.annotations["runbook_url"].rpartition("/")[2] for r in rules if r.alert}
    for fault in FAULTS.values():
        assert fault.alerts <= set(runbooks)
        for alert in fault.alerts:
            assert (ROOT / "docs" / "runbooks" / f"{runbooks[alert]}.md").exists()


def test_its_configurations_are_good_and_watch_the_service(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    stage = Stage(tmp_path, choose_ports(None, None, free_port()))
    for name in ("importing.yml", "pynomaly.yml"):
        configuration, notes = load_configuration(tmp_path / name, {}, {})
        files = load_named_files(configuration)
        assert (list(notes), list(files.warnings)) == ([], [])
    assert [job.job_name for job in files.prometheus.scrape_configs] == [NAME]
    assert "detection-service" in {group.name for group in files.rule_groups}
    assert stage.explore('up{job="a b"}', "15m").endswith("?q=up%7Bjob%3D%22a+b%22%7D&range=15m")


def test_an_installed_package_has_the_service(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "from pynomaly.cli.demo.stage import examples; print(examples())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert Path(found) == tmp_path / "site" / "pynomaly" / "examples"
    for name in ("__main__.py", "app.py", "rules.yml"):
        assert (Path(found) / "detection_service" / name).is_file()
