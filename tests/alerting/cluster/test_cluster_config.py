"""How Alertmanagers are named, in our settings and in a prometheus.yml."""

from pathlib import Path

import pytest

from pynomaly.alerting.cluster.config import AlertmanagerBlock
from pynomaly.model.document import ConfigError
from pynomaly.server.config import load_configuration
from pynomaly.server.files import NamedFiles, load_named_files


def block(value: object) -> AlertmanagerBlock:
    return AlertmanagerBlock.model_validate(value)


def files(folder: Path, text: str, **environ: str) -> NamedFiles:
    path = folder / "config.yml"
    path.write_text(text)
    return load_named_files(load_configuration(path, environ, {})[0])


def test_an_address_is_a_section_in_short() -> None:
    found = block("https://me:p%40ss@am.example.com:9093/prefix/")
    assert (found.scheme, found.path_prefix) == ("https", "/prefix")
    assert found.static_configs[0].targets == ["am.example.com:9093"]
    assert found.basic_auth is not None
    assert found.basic_auth.password.get_secret_value() == "p@ss"
    assert block("http://am:9093/api/v2/alerts").path_prefix == "/"


@pytest.mark.parametrize("url", ["am:9093", "ftp://am", "http://", "http://am/?x=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="an address such as http://alertmanager:9093"):
        block(url)


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ({"api_version": "v1"}, "v2"),
        ({"static_configs": [{"targets": ["http://am"]}]}, "use scheme and path_prefix"),
        ({"dns_sd_configs": [{}]}, "dns_sd_configs is not supported; use static_configs"),
        ({"sigv4": {}}, "sigv4 is not supported"),
        ({"tiemout": "1s"}, "Extra inputs"),
    ],
)
def test_what_cannot_be_used_is_refused(section: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        block(section)


def test_files_start_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    found = files(
        tmp_path,
        "alerting:\n  alertmanagers:\n  - authorization: {credentials_file: token}\n"
        "    tls_config: {ca_file: ca.pem}\n    file_sd_configs: [{files: [am/*.yml]}]\n",
    )
    (each,) = found.cluster.blocks
    assert each.authorization is not None
    assert each.authorization.credentials_file == str(tmp_path / "token")
    assert each.tls_config.ca_file == str(tmp_path / "ca.pem")
    assert each.file_sd_configs[0].files == [str(tmp_path / "am/*.yml")]


def test_labels_and_relabelling_come_from_the_prometheus_yml(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(
        "global: {external_labels: {cluster: c1, replica: a}}\n"
        "alerting:\n"
        "  alert_relabel_configs: [{regex: replica, action: labeldrop}]\n"
        "  alertmanagers: [{static_configs: [{targets: ['am-1:9093']}]}]\n"
    )
    text = (
        "components: {metrics: {config_file: prometheus.yml}}\n"
        "rules: {external_labels: {replica: b}}\n"
        "alerting: {alertmanagers: ['http://am-0:9093']}\n"
    )
    found = files(tmp_path, text)
    assert found.cluster.external_labels == {"cluster": "c1", "replica": "b"}
    assert [rule.action for rule in found.cluster.alert_relabel_configs] == ["labeldrop"]
    assert len(found.cluster.blocks) == 1
    assert any("prometheus_alertmanagers: true changes that" in w for w in found.warnings)
    both = files(tmp_path, text.replace("alerting: {", "alerting: {prometheus_alertmanagers: 1, "))
    assert [b.static_configs[0].targets for b in both.cluster.blocks] == [
        ["am-0:9093"],
        ["am-1:9093"],
    ]


def test_a_section_of_the_prometheus_yml_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(
        "alerting: {alertmanagers: [{consul_sd_configs: [{server: x}]}]}\n"
    )
    text = (
        "components: {metrics: {config_file: prometheus.yml}}\n"
        "alerting: {prometheus_alertmanagers: true}\n"
    )
    with pytest.raises(ConfigError, match=r"prometheus\.yml: alerting.alertmanagers: .*consul_sd"):
        files(tmp_path, text)


def test_what_would_be_told_without_a_cluster_is_named_as_without_effect(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: a}\nreceivers: [{name: a}]\n")
    found = files(
        tmp_path,
        "components: {alerting: {config_file: alertmanager.yml}}\n"
        "alerting: {alertmanagers: ['http://am:9093'], webhook: {url: 'http://hook'}}\n",
        SLACK_WEBHOOK_URL="https://hooks.example.com/x",
    )
    assert [receiver.name for receiver in found.alertmanager.receivers] == ["alertmanagers"]
    text = "\n".join(found.warnings)
    for part in ("config_file", "alerting.webhook", "what integrations says of channels"):
        assert f"{part} has no effect" in text


def test_the_environment_names_them_too(tmp_path: Path) -> None:
    found = files(tmp_path, "", PYNOMALY_ALERTMANAGERS="http://a:9093, http://b:9093")
    assert [b.static_configs[0].targets for b in found.cluster.blocks] == [["a:9093"], ["b:9093"]]
