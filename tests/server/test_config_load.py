"""Where a setting comes from, and how a wrong one is said."""

from pathlib import Path
from typing import Any

import pytest

from pynomaly.access.errors import InsecureBinding
from pynomaly.model.document import ConfigError
from pynomaly.server.config import Configuration, load_configuration

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str, name: str = "my.yml") -> Path:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def load(text: str, environ: dict[str, str] | None = None, **options: Any) -> Configuration:
    return load_configuration(written(text), environ or {}, options)[0]


def fault(text: str, environ: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, environ, **options)
    assert caught.value.__cause__ is None, "a cause would carry the values into logs"
    return str(caught.value)


def notes(text: str, environ: dict[str, str] | None = None) -> list[str]:
    return [str(note) for note in load_configuration(written(text), environ or {}, {})[1]]


def test_nothing_needs_to_be_configured() -> None:
    assert load_configuration(None, {}, {}) == (Configuration(), [])


def test_the_file_at_the_default_place_is_read() -> None:
    written("server: {web_port: 1234}", "config/advanced_monitoring.yml")
    assert load_configuration(None, {}, {})[0].server.web_port == 1234


def test_a_file_that_was_named_must_be_there() -> None:
    with pytest.raises(ConfigError, match=r"^nowhere\.yml does not exist\. Give another with"):
        load_configuration(Path("nowhere.yml"), {}, {})
    with pytest.raises(ConfigError, match=r"^Cannot read \.: Is a directory"):
        load_configuration(Path(), {}, {})
    Path("latin").write_bytes(b"a: \xe4")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_configuration(Path("latin"), {}, {})


def test_the_shipped_file_says_the_defaults() -> None:
    assert load_configuration(ROOT / "config/advanced_monitoring.yml", {}, {}) == (
        Configuration(),
        [],
    )


def test_an_option_wins_over_the_environment_and_that_over_the_file() -> None:
    text = "server: {api_port: 1, web_port: 2, host: 127.0.0.3}"
    environ = {"PYNOMALY_API_PORT": "11", "PYNOMALY_WEB_PORT": "12"}
    server = load(text, environ, api_port=21, web_port=None).server
    assert (server.api_port, server.web_port, server.host) == (21, 12, "127.0.0.3")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load("", {"PYNOMALY_API_PORT": " ", "DATABASE_URL": ""}) == Configuration()


def test_the_keys_and_variables_of_the_guide_are_understood() -> None:
    configuration = load(
        """
        global: {service_name: shop, environment: staging, data_retention_days: 30}
        components:
          anomaly_detection:
            enabled: true
            algorithms:
              - {name: "isolation_forest", contamination: 0.1, enabled: true}
          alert_correlation: {enabled: true, correlation_window_minutes: 10}
          slo_monitoring: {enabled: true}
          capacity_planning: {enabled: true}
        logging: {level: "DEBUG"}
        """,
        {
            "DATABASE_URL": "postgresql://pynomaly:password@postgres:5432/pynomaly_monitoring",
            "PROMETHEUS_HOST": "prometheus:9090",
            "ELASTICSEARCH_HOST": "elasticsearch:9200",
            "JAEGER_ENDPOINT": "http://jaeger:14268/api/traces",
            "REDIS_URL": "redis://redis:6379",
            "JWT_SECRET_KEY": "your-secret-key",
            "ENCRYPTION_KEY": "your-encryption-key",
            "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/x",
            "PAGERDUTY_API_KEY": "your-pagerduty-key",
            "LOG_LEVEL": "warning",
        },
    )
    assert configuration.global_.data_retention_days == 30
    assert configuration.logging.level == "WARNING"
    url = configuration.storage.records.url
    assert url is not None
    assert url.get_secret_value().endswith("@postgres:5432/pynomaly_monitoring")
    assert configuration.prometheus.url == "http://prometheus:9090"


def test_what_has_no_effect_yet_is_named_where_it_was_set() -> None:
    text = """
    components:
      slo_monitoring: {enabled: true}
    """
    assert notes(text, {"REDIS_URL": "redis://x", "JWT_SECRET_KEY": "k"}) == [
        "JWT_SECRET_KEY: accepted, takes effect with a later version",
        "components.slo_monitoring: accepted, takes effect with a later version",
        "REDIS_URL: accepted, takes effect with a later version",
    ]


def test_a_variable_that_may_be_a_typing_error_is_named() -> None:
    environ = {"PYNOMALY_TOKN": "x", "PYNOMALY_URL": "y", "PYNOMALY_TEST_DATABASE_URL": "z"}
    assert notes("", environ) == [
        "PYNOMALY_TOKN: not known, so it has no effect; did you mean PYNOMALY_TOKEN?"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "server:\n  api_prot: 1",
            "my.yml:2: unknown key 'server.api_prot'; did you mean 'api_port'?",
        ),
        ("loging: {}", "my.yml:1: unknown key 'loging'; did you mean 'logging'?"),
        (
            "server:\n  api_port: x",
            "my.yml:2: server.api_port: Input should be a valid integer, unable to parse string "
            "as an integer (found 'x')",
        ),
        (
            "server:\n  web_port: 8090",
            "my.yml:1: server: api_port and web_port are both 8090; they must differ",
        ),
        (
            "host_metrics:\n  interval: 5",
            "my.yml:2: host_metrics.interval: a duration such as 30s, 5m or 1h30m is expected, "
            "with its unit (found 5)",
        ),
        (
            "components:\n  anomaly_detection:\n    algorithms:\n      - name: seasonal\n"
            "      - nam: x",
            "my.yml:5: 'components.anomaly_detection.algorithms.1.name' is missing\n"
            "my.yml:5: unknown key 'components.anomaly_detection.algorithms.1.nam'; "
            "did you mean 'name'?",
        ),
        (
            "server:\n  trusted_proxies: [here]",
            "my.yml:2: server.trusted_proxies.0: 'here' does not appear to be an IPv4 or IPv6 "
            "network (found 'here')",
        ),
    ],
)
def test_a_fault_of_the_file_names_its_line(text: str, said: str) -> None:
    assert fault(text) == said


def test_a_fault_of_a_variable_or_option_names_that() -> None:
    said = fault("\n\nserver: {web_port: 1}", {"PYNOMALY_WEB_PORT": "abc"}, api_port=-1)
    assert said.splitlines() == [
        "--api-port: server.api_port: Input should be greater than or equal to 0 (found -1)",
        "PYNOMALY_WEB_PORT: server.web_port: Input should be a valid integer, "
        "unable to parse string as an integer (found 'abc')",
    ]


def test_a_section_that_only_variables_made_wrong_names_them() -> None:
    said = fault("", {"PYNOMALY_TOKEN": "12345678", "PYNOMALY_TOKEN_FILE": "x"})
    assert said == (
        "PYNOMALY_TOKEN, PYNOMALY_TOKEN_FILE: access: token and token_file are both set; keep one"
    )


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("access: {token: hunter2}", {}),
        ("access: {token: [hunter2]}", {}),
        ("access: hunter2", {}),
        ("access: {pasword: hunter2}", {}),
        ("alerting: {webhook: {url: hunter2}}", {}),
        ("storage: {records: {url: {x: hunter2}}}", {}),
        ("", {"PYNOMALY_PASSWORD": "hunter2"}),
        ("", {"PYNOMALY_WEBHOOK_URL": "hunter2"}),
        ("access: {trust_loopback: false, username: 'hunter2:'}", {}),
    ],
)
def test_no_fault_shows_a_secret(text: str, environ: dict[str, str]) -> None:
    said = fault(text, environ)
    if "username" not in text:
        assert "hunter2" not in said


def test_a_secret_of_the_environment_replaces_the_file_that_the_configuration_names() -> None:
    access = load("access: {token_file: t}", {"PYNOMALY_TOKEN": "12345678"}).access
    assert access.token_file is None
    assert access.token is not None
    assert access.token.get_secret_value() == "12345678"


def test_relative_paths_start_at_the_folder_of_the_file() -> None:
    text = """
    server: {data_dir: data}
    components: {metrics: {config_file: prometheus.yml}}
    rules: {rule_files: [a.yml, /b/*.yml]}
    access: {token_file: secrets/token}
    """
    path = written(text, "etc/my.yml")
    configuration = load_configuration(path, {"PYNOMALY_PASSWORD_FILE": "here"}, {})[0]
    assert configuration.components.metrics.config_file == Path("etc/prometheus.yml")
    assert configuration.rules.rule_files == (Path("etc/a.yml"), Path("/b/*.yml"))
    assert configuration.access.token_file == Path("etc/secrets/token")
    assert configuration.access.password_file == Path("here")
    assert configuration.server.data_dir == Path("data")
    by_option = load_configuration(path, {}, {"prometheus_config": Path("p.yml")})[0]
    assert by_option.components.metrics.config_file == Path("p.yml")


def test_commas_separate_several_values() -> None:
    environ = {"PYNOMALY_ALLOWED_HOSTS": "a.example, *.b.example,", "PYNOMALY_RULE_FILES": "r.yml"}
    configuration = load("", environ)
    assert configuration.server.allowed_hosts == ("a.example", "*.b.example")
    assert configuration.rules.rule_files == (Path("r.yml"),)


def test_sections_that_are_all_commented_out_are_the_defaults() -> None:
    assert load("server:\naccess:\nstorage:\n  records:\n") == Configuration()


def test_an_open_address_without_a_login_is_refused() -> None:
    with pytest.raises(InsecureBinding, match=r"^Listening on 0\.0\.0\.0 would let anyone"):
        load("", host="0.0.0.0")
    assert load("", {"PYNOMALY_TOKEN": "long-enough"}, host="0.0.0.0").server.host == "0.0.0.0"


def test_showing_the_configuration_shows_no_secret() -> None:
    secrets = {
        "PYNOMALY_TOKEN": "hunter22",
        "DATABASE_URL": "postgresql://u:hunter22@h/d",
        "REDIS_URL": "redis://:hunter22@h",
        "PYNOMALY_WEBHOOK_URL": "https://h/hunter22",
    }
    configuration = load("", secrets)
    assert "hunter22" not in repr(configuration) + configuration.model_dump_json()


def test_samples_are_kept_as_long_as_all_data_unless_said_otherwise() -> None:
    assert load("global: {data_retention_days: 30}").storage.samples.retention_days == 30
    both = "global: {data_retention_days: 30}\nstorage: {samples: {retention_days: 7}}"
    assert load(both).storage.samples.retention_days == 7
