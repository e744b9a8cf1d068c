"""The configuration in force as it is shown: whole, of both files, without a secret."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from pynomaly.ingest.scrape.config import PrometheusConfig
from pynomaly.ingest.scrape.config import load as load_prometheus
from pynomaly.server.effective import (
    alertmanagers,
    configuration_yaml,
    flags,
    storage_retention,
)
from pynomaly.server.sections import Configuration

SECRETS = """
global: {external_labels: {region: us}}
alerting:
  alertmanagers:
  - basic_auth: {username: u, password: SESAME}
    path_prefix: /am/
    scheme: https
    static_configs: [{targets: ["am1:9093", "am2:9093"]}]
  - static_configs: [{targets: ["am3:9093"]}]
remote_write:
- url: http://u:SESAME@host/write
  bearer_token: SESAME
  sigv4: {access_key: visible, secret_key: SESAME}
  oauth2: {client_id: visible, client_secret: SESAME, token_url: 'http://visible'}
  headers: {Authorization: SESAME, X-Api-Key: SESAME}
  tls_config: {key: SESAME, key_file: /visible}
scrape_configs:
- job_name: a
  authorization: {credentials: SESAME}
  params: {token: [SESAME]}
  proxy_url: http://u:SESAME@proxy
  http_headers: {X-A: {values: [visible], secrets: [SESAME]}}
  consul_sd_configs: [{server: visible, token: SESAME}]
  static_configs: [{targets: ["a:1"], labels: {token: visible}}]
"""


def configuration(**sections: Any) -> Configuration:
    return Configuration.model_validate(sections)


def shown(of: Configuration, prometheus: PrometheusConfig | None = None) -> dict[str, Any]:
    text = configuration_yaml(of, prometheus or PrometheusConfig(), {"region": "eu"})
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_no_secret_of_either_file_is_shown() -> None:
    prometheus, _ = load_prometheus(SECRETS, "prometheus.yml")
    ours = configuration(
        access={"token": "SESAME-OPEN", "password": "SESAME-OPEN"},
        storage={"records": {"url": "postgresql://u:SESAME@db/x"}},
        prometheus={
            "url": "http://p:9090",
            "headers": {"X-Tenant": "SESAME"},
            "username": "u",
            "password": "SESAME",
        },
    )
    text = configuration_yaml(ours, prometheus, {})
    assert "SESAME" not in text
    assert "SESAME" not in str(flags(ours, "http://127.0.0.1:1", ""))
    assert text.count("<secret>") == 18
    for kept in ("u:<secret>@host", "access_key: visible", "token_url: http://visible"):
        assert kept in text
    assert yaml.safe_load(text)["scrape_configs"][0]["static_configs"][0]["labels"] == {
        "token": "visible"  # a label, as every series shows it
    }


def test_both_files_stand_side_by_side() -> None:
    prometheus, _ = load_prometheus(SECRETS, "prometheus.yml")
    found = shown(configuration(rules={"evaluation_interval": "30s"}), prometheus)
    assert found["global"]["external_labels"] == {"region": "eu"}
    assert found["global"]["evaluation_interval"] == "30s"
    assert found["global"]["scrape_timeout"] == "10s"
    assert found["global"]["service_name"] == "pynomaly"
    assert found["alerting"]["alertmanagers"][1] == {"static_configs": [{"targets": ["am3:9093"]}]}
    assert found["scrape_configs"][0]["scrape_interval"] == "1m"
    assert found["storage"]["engine"]["fsync"] is False
    assert "consul_sd_configs" in found["scrape_configs"][0]
    assert "ec2_sd_configs" not in found["scrape_configs"][0]


def test_no_key_means_two_things() -> None:
    ours, theirs = set(_leaves(Configuration)), set(_leaves(PrometheusConfig))
    assert ours & theirs == {"alerting.alertmanagers"}  # and that is one thing


def _leaves(section: Any, prefix: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = field.annotation
        if hasattr(inner, "model_fields"):
            yield from _leaves(inner, f"{key}.")
        elif key != "storage":  # where a prometheus.yml takes anything
            yield key


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("server.api_port", "8090"),
        ("server.allowed_hosts", "a.example.com,b.example.com"),
        ("components.anomaly_detection.enabled", "true"),
        ("access.token", "<secret>"),
        ("access.password", ""),
        ("rules.evaluation_interval", "1m"),
        ("query.lookback-delta", "5m"),
        ("query.timeout", "2m"),
        ("storage.tsdb.retention.time", "30d"),
        ("storage.tsdb.retention.size", "10GiB"),
        ("storage.tsdb.path", "somewhere"),
        ("web.listen-address", "127.0.0.1:8090"),
        ("web.external-url", "https://mon.example.com"),
        ("web.enable-admin-api", "false"),
    ],
)
def test_settings_are_shown_as_flags(flag: str, value: str) -> None:
    ours = configuration(
        server={"allowed_hosts": ["a.example.com", "b.example.com"], "data_dir": "somewhere"},
        access={"token": "SESAME-OPEN"},
        storage={"samples": {"retention_days": 30, "retention_bytes": 10 << 30}},
    )
    found: Mapping[str, str] = flags(ours, "http://127.0.0.1:8090", "https://mon.example.com")
    assert found[flag] == value


def test_every_setting_is_a_flag() -> None:
    found = flags(Configuration(), "http://127.0.0.1:8090", "")
    assert all(isinstance(value, str) for value in found.values())
    assert set(_leaves(Configuration)) - {"alerting.webhook"} <= found.keys() | {
        key for key in _leaves(Configuration) if any(f.startswith(f"{key}.") for f in found)
    }


def test_retention_is_said_as_prometheus_says_it() -> None:
    def said(days: float, size: int = 0, url: str | None = None) -> str:
        samples = {"retention_days": days, "retention_bytes": size}
        return storage_retention(
            configuration(storage={"samples": samples}, prometheus={"url": url})
        )

    assert said(90) == "90d"
    assert said(0.5, 1536 << 20) == "12h or 1536MiB"
    assert said(90, 0, "http://p:9090") == ""


def test_alertmanagers_of_a_prometheus_yml_are_known_by_address() -> None:
    prometheus, _ = load_prometheus(SECRETS, str(Path("prometheus.yml")))
    assert alertmanagers(prometheus) == [
        "https://am1:9093/am/api/v2/alerts",
        "https://am2:9093/am/api/v2/alerts",
        "http://am3:9093/api/v2/alerts",
    ]
    assert alertmanagers(PrometheusConfig()) == []


def test_a_secret_that_is_empty_is_told_from_one_that_is_set() -> None:
    assert SecretStr("").get_secret_value() == ""
    found = shown(configuration(), load_prometheus(SECRETS, "prometheus.yml")[0])
    assert "bearer_token" not in found["scrape_configs"][0]
    assert found["scrape_configs"][0]["authorization"] == {
        "type": "Bearer",
        "credentials": "<secret>",
    }
