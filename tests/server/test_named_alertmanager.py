"""The ``alertmanager.yml`` that the configuration names: checked with it, and read again."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pynomaly.cli.commands import app
from pynomaly.model.document import ConfigError
from pynomaly.server.config import load_configuration
from pynomaly.server.files import NamedFiles, load_named_files

GOOD = "route: {receiver: ops}\nreceivers: [{name: ops}]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "advanced_monitoring.yml"
    path.parent.mkdir()
    path.write_text("components: {alerting: {config_file: am/alertmanager.yml}}\n")
    (path.parent / "am").mkdir()
    (path.parent / "am" / "alertmanager.yml").write_text(GOOD)
    return path


def files(config: Path | None, **environ: str) -> NamedFiles:
    return load_named_files(load_configuration(config, environ, {})[0])


def test_a_relative_path_starts_at_the_folder_of_the_configuration(config: Path):
    assert files(config).alertmanager.route.receiver == "ops"


def test_what_is_read_again_is_what_stands_there_then(config: Path):
    path = config.parent / "am" / "alertmanager.yml"
    path.write_text(GOOD.replace("ops", "sre"))
    assert files(config).alertmanager.route.receiver == "sre"


def test_a_file_that_cannot_be_used_is_refused_with_its_line(config: Path):
    path = config.parent / "am" / "alertmanager.yml"
    path.write_text("receivers: []\nroute: {receiver: ops}\n")
    with pytest.raises(ConfigError, match=f"{path}:2: route.receiver: no receiver"):
        files(config)


def test_config_check_reads_it_and_tells_what_is_odd(config: Path):
    path = config.parent / "am" / "alertmanager.yml"
    path.write_text(GOOD + "time_intervals: [{name: nights}]\n")
    done = CliRunner().invoke(app, ["config", "check", "--config", str(config), "--json"])
    found = json.loads(done.output)
    assert found["receivers"] == 1
    assert found["notes"] == [f"{path}:3: time_intervals.0: no route uses 'nights'"]
    path.unlink()
    done = CliRunner().invoke(app, ["config", "check", "--config", str(config)])
    assert done.exit_code == 1
    assert "cannot be read: No such file" in done.output


def test_the_environment_names_it_too(config: Path, monkeypatch: pytest.MonkeyPatch):
    path = config.parent / "am" / "alertmanager.yml"
    monkeypatch.chdir(config.parent)
    found = files(None, PYNOMALY_ALERTMANAGER_CONFIG=str(path))
    assert found.alertmanager.route.receiver == "ops"


def test_channels_of_the_environment_alone_make_receivers(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = files(
        None,
        SLACK_WEBHOOK_URL="https://hooks.example.com/x",
        PAGERDUTY_API_KEY="key",
        SMTP_SMARTHOST="mail.example.com:587",
        SMTP_FROM="am@example.com",
        SMTP_TO="ops@example.com, sre@example.com",
    )
    critical = found.alertmanager.receiver("critical")
    assert [i.kind for i in critical.integrations()] == ["pagerduty", "slack"]
    (mail,) = found.alertmanager.receiver("info").email_configs
    assert mail.to == "ops@example.com, sre@example.com"
