"""A prometheus.yml: what it means, what is skipped, what is refused."""

from pathlib import Path

import pytest

from pynomaly.ingest.scrape.config import PrometheusConfig, load
from pynomaly.ingest.scrape.values import size
from pynomaly.model.document import ConfigError


def loaded(text: str, source: str = "/etc/p/prometheus.yml") -> PrometheusConfig:
    return load(text, source)[0]


def test_an_empty_file_has_prometheus_defaults() -> None:
    config = loaded("scrape_configs: [{job_name: x}]")
    [job] = config.scrape_configs
    assert (job.scrape_interval, job.scrape_timeout) == (60.0, 10.0)
    assert (job.metrics_path, job.scheme) == ("/metrics", "http")
    assert job.honor_timestamps
    assert not job.honor_labels
    assert config.global_.evaluation_interval == 60.0


def test_a_job_takes_what_global_says_unless_it_says_otherwise() -> None:
    config = loaded(
        "global: {scrape_interval: 5s, sample_limit: 7, body_size_limit: 1MB}\n"
        "scrape_configs:\n"
        "  - {job_name: a}\n"
        "  - {job_name: b, scrape_interval: 1m30s, scrape_timeout: 20s, sample_limit: 9}\n"
    )
    a, b = config.scrape_configs
    # The timeout of global is 10 s, but no longer than the interval.
    assert (a.scrape_interval, a.scrape_timeout, a.sample_limit) == (5.0, 5.0, 7)
    assert a.body_size_limit == 1024 * 1024
    assert (b.scrape_interval, b.scrape_timeout, b.sample_limit) == (90.0, 20.0, 9)


def test_paths_are_relative_to_the_file() -> None:
    config = loaded(
        "rule_files: [rules/*.yml]\n"
        "scrape_configs:\n"
        "  - job_name: x\n"
        "    bearer_token_file: token\n"
        "    tls_config: {ca_file: /abs/ca.pem, cert_file: c.pem, key_file: k.pem}\n"
        "    file_sd_configs: [{files: [targets/*.json]}]\n"
        "    http_sd_configs: [{url: 'http://h/', basic_auth: {password_file: pw}}]\n"
    )
    [job] = config.scrape_configs
    assert config.rule_files == ["/etc/p/rules/*.yml"]
    assert job.bearer_token_file == "/etc/p/token"
    assert job.tls_config.ca_file == "/abs/ca.pem"
    assert job.tls_config.cert_file == "/etc/p/c.pem"
    assert job.file_sd_configs[0].files == ["/etc/p/targets/*.json"]
    basic = job.http_sd_configs[0].basic_auth
    assert basic is not None
    assert basic.password_file == "/etc/p/pw"


def test_what_is_not_supported_is_named_and_skipped() -> None:
    _, warnings = load(
        "remote_write: [{url: 'http://x'}]\n"
        "storage: {tsdb: {out_of_order_time_window: 30m}}\n"
        "tracing: {endpoint: x}\n"
        "scrape_configs:\n"
        "  - job_name: x\n"
        "    kubernetes_sd_configs: [{role: pod}]\n"
        "    oauth2: {client_id: x, token_url: 'http://y', grant_type: jwt}\n",
        "prometheus.yml",
    )
    assert warnings == [
        "prometheus.yml: remote_write is not supported and is skipped",
        "prometheus.yml: storage is not supported and is skipped",
        "prometheus.yml: tracing is not supported and is skipped",
        "prometheus.yml: kubernetes_sd_configs of job 'x' is not supported; its targets are not "
        "scraped",
        "prometheus.yml: grant_type jwt of oauth2 of job 'x' is not supported",
    ]


def test_more_jobs_come_from_other_files(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.yml").write_text(
        "scrape_configs: [{job_name: a, bearer_token_file: token}]\n"
    )
    text = "scrape_config_files: [jobs/*.yml]\nscrape_configs: [{job_name: b}]\n"
    config = loaded(text, str(tmp_path / "prometheus.yml"))
    assert [job.job_name for job in config.scrape_configs] == ["b", "a"]
    assert config.scrape_configs[1].bearer_token_file == str(tmp_path / "jobs" / "token")
    (tmp_path / "jobs" / "b.yml").write_text("scrape_configs: [{job_name: b}]\n")
    with pytest.raises(ConfigError, match="more than one scrape config has the job name 'b'"):
        loaded(text, str(tmp_path / "prometheus.yml"))


def test_texts_need_no_quotes() -> None:
    [job] = loaded(
        "scrape_configs:\n"
        "  - job_name: 1\n"
        "    static_configs: [{targets: [x], labels: {port: 8080, on_call: false}}]\n"
        "    basic_auth: {username: 7, password: 1234}\n"
    ).scrape_configs
    assert job.job_name == "1"
    assert job.static_configs[0].labels == {"port": "8080", "on_call": "false"}
    assert job.basic_auth is not None
    assert job.basic_auth.password.get_secret_value() == "1234"


def test_secrets_do_not_show() -> None:
    config = loaded("scrape_configs: [{job_name: x, bearer_token: s3cret}]")
    assert "s3cret" not in repr(config)


def test_a_job_without_change_is_equal_to_itself_read_again() -> None:
    text = (
        "scrape_configs:\n"
        "  - job_name: x\n"
        "    bearer_token: y\n"
        "    relabel_configs: [{source_labels: [a], regex: 'b(.*)', target_label: c}]\n"
    )
    assert loaded(text) == loaded(text)
    assert loaded(text) != loaded(text.replace("b(.*)", "d(.*)"))
    assert loaded(text) != loaded(text.replace("token: y", "token: z"))


def in_job(lines: str) -> str:
    indented = "".join(f"    {line}\n" for line in lines.splitlines())
    return f"scrape_configs:\n  - job_name: x\n{indented}"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("scrape_config: []", 1, "did you mean 'scrape_configs'?"),
        ("\nglobal: {scrape_intervall: 5s}", 2, "did you mean 'scrape_interval'?"),
        (in_job("metric_path: /x"), 3, "did you mean 'metrics_path'?"),
        (in_job("kubernets_sd_configs: []"), 3, "did you mean 'kubernetes_sd_configs'?"),
        (in_job("basic_auth: {user: x}"), 3, "did you mean 'username'?"),
        (in_job("scrape_interval: 15"), 3, "duration"),
        (in_job("scrape_interval: 15 s"), 3, "duration"),
        (in_job("body_size_limit: 100"), 3, "not a size; write it like 10MB"),
        (in_job("sample_limit: -1"), 3, "greater than or equal to 0"),
        (in_job("scheme: ftp"), 3, "'http' or 'https'"),
        (in_job("static_configs:\n  - targets: ['http://a/b']"), 2, "not a valid hostname"),
        (in_job("file_sd_configs: [{files: [x.txt]}]"), 3, "must end in .json, .yml or .yaml"),
        (in_job("file_sd_configs: [{files: []}]"), 3, "at least 1 item"),
        (in_job("http_sd_configs: [{url: 'h/x'}]"), 3, "scheme must be http or https"),
        (in_job("bearer_token: a\nbearer_token_file: b"), 2, "only one of bearer_token and"),
        (in_job("bearer_token: a\nbasic_auth: {username: b}"), 2, "only one of basic_auth and"),
        (in_job("basic_auth: {password: a, password_file: b}"), 3, "only one of password and"),
        (in_job("authorization: {type: Basic}"), 3, "use basic_auth instead"),
        (in_job("tls_config: {cert_file: x}"), 3, "needs both"),
        (in_job("http_headers: {Host: {values: [x]}}"), 3, "cannot set 'Host'"),
        (in_job("scrape_protocols: [A]"), 3, "PrometheusText0.0.4"),
        (in_job("relabel_configs:\n  -"), 4, "valid dictionary"),
        (in_job("relabel_configs:\n  - {action: keepp}"), 4, "'keep'"),
        (in_job("relabel_configs:\n  - {regex: '(', action: keep}"), 4, "not a valid RE2"),
        (in_job("metrics_path: /a\nmetrics_path: /b"), 4, "'metrics_path' is there twice"),
        ("rule_files: ['*/x/*.yml']", 1, "only in its last part"),
        ("- a", 1, "expected keys and values"),
        ("a: [", 1, "not valid YAML"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text, "p.yml")
    assert str(caught.value).startswith(f"p.yml:{line}:"), caught.value
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("global: {scrape_interval: 5s, scrape_timeout: 6s}", "greater than scrape_interval"),
        (in_job("scrape_timeout: 2m"), "greater than scrape_interval in job 'x'"),
        ("scrape_configs: [{job_name: x}, {job_name: x}]", "more than one scrape config"),
        ("scrape_configs: [{}]", "'scrape_configs.0.job_name' is missing"),
    ],
)
def test_what_does_not_fit_together_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loaded(text)


def test_urls_are_targets_where_relabelling_makes_addresses_of_them() -> None:
    probe = "static_configs: [{targets: ['http://a/b']}]\nrelabel_configs:\n"
    probe += "  - {target_label: __address__, replacement: 'prober:9115'}\n"
    assert len(loaded(in_job(probe)).scrape_configs) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), (0, 0), ("512B", 512), ("1KB", 1024), ("1.5MB", 1_572_864), ("1GiB", 2**30)],
)
def test_sizes(text: object, expected: int) -> None:
    assert size(text) == expected


def test_debians_configuration_loads_unchanged() -> None:
    path = Path("/etc/prometheus/prometheus.yml")
    if not path.is_file():
        pytest.skip("needs Debian's /etc/prometheus/prometheus.yml")
    config, warnings = load(path.read_text(), str(path))
    assert config.scrape_configs
    assert warnings == []
