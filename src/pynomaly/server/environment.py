"""The environment variables and options that win over the configuration file."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SettingPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable: ``path`` is the setting; ``many`` when commas separate values."""

    name: str
    path: SettingPath
    many: bool = False


def _variable(name: str, dotted: str, *, many: bool = False) -> Variable:
    return Variable(name, tuple(dotted.split(".")), many)


VARIABLES = (
    _variable("DATABASE_URL", "storage.records.url"),
    _variable("PROMETHEUS_HOST", "prometheus.url"),
    _variable("ELASTICSEARCH_HOST", "integrations.elasticsearch_host"),
    _variable("JAEGER_ENDPOINT", "integrations.jaeger_endpoint"),
    _variable("REDIS_URL", "integrations.redis_url"),
    _variable("JWT_SECRET_KEY", "access.jwt_secret_key"),
    _variable("ENCRYPTION_KEY", "access.encryption_key"),
    _variable("SLACK_WEBHOOK_URL", "integrations.slack_webhook_url"),
    _variable("PAGERDUTY_API_KEY", "integrations.pagerduty_api_key"),
    _variable("SMS_URL", "integrations.sms_url"),
    _variable("SMTP_SMARTHOST", "integrations.smtp_smarthost"),
    _variable("SMTP_FROM", "integrations.smtp_from"),
    _variable("SMTP_TO", "integrations.smtp_to", many=True),
    _variable("SMTP_AUTH_USERNAME", "integrations.smtp_auth_username"),
    _variable("SMTP_AUTH_PASSWORD", "integrations.smtp_auth_password"),
    _variable("LOG_LEVEL", "logging.level"),
    _variable("PYNOMALY_HOST", "server.host"),
    _variable("PYNOMALY_API_PORT", "server.api_port"),
    _variable("PYNOMALY_WEB_PORT", "server.web_port"),
    _variable("PYNOMALY_DATA_DIR", "server.data_dir"),
    _variable("PYNOMALY_EXTERNAL_URL", "server.external_url"),
    _variable("PYNOMALY_ENABLE_ADMIN_API", "server.enable_admin_api"),
    _variable("PYNOMALY_ALLOWED_HOSTS", "server.allowed_hosts", many=True),
    _variable("PYNOMALY_TRUSTED_PROXIES", "server.trusted_proxies", many=True),
    _variable("PYNOMALY_TOKEN", "access.token"),
    _variable("PYNOMALY_TOKEN_FILE", "access.token_file"),
    _variable("PYNOMALY_USERNAME", "access.username"),
    _variable("PYNOMALY_PASSWORD", "access.password"),
    _variable("PYNOMALY_PASSWORD_FILE", "access.password_file"),
    _variable("PYNOMALY_TRUST_LOOPBACK", "access.trust_loopback"),
    _variable("PYNOMALY_PROMETHEUS_CONFIG", "components.metrics.config_file"),
    _variable("PYNOMALY_ALERTMANAGER_CONFIG", "components.alerting.config_file"),
    _variable("PYNOMALY_PROMETHEUS_WRITE_URL", "prometheus.write_url"),
    _variable("PYNOMALY_PROMETHEUS_USERNAME", "prometheus.username"),
    _variable("PYNOMALY_PROMETHEUS_PASSWORD", "prometheus.password"),
    _variable("PYNOMALY_PROMETHEUS_PASSWORD_FILE", "prometheus.password_file"),
    _variable("PYNOMALY_PROMETHEUS_TOKEN", "prometheus.bearer_token"),
    _variable("PYNOMALY_PROMETHEUS_TOKEN_FILE", "prometheus.bearer_token_file"),
    _variable("PYNOMALY_RULE_FILES", "rules.rule_files", many=True),
    _variable("PYNOMALY_DEFAULT_RULES", "rules.defaults", many=True),
    _variable("PYNOMALY_RETENTION_DAYS", "global.data_retention_days"),
    _variable("PYNOMALY_HOST_METRICS", "host_metrics.enabled"),
    _variable("PYNOMALY_WEBHOOK_URL", "alerting.webhook.url"),
    _variable("PYNOMALY_WEBHOOK_SECRET", "alerting.webhook.hmac_secret"),
    _variable("PYNOMALY_HEARTBEAT_URL", "alerting.heartbeat.url"),
    _variable("PYNOMALY_ALERTMANAGERS", "alerting.alertmanagers", many=True),
)

OPTIONS: Mapping[str, SettingPath] = {
    "host": ("server", "host"),
    "api_port": ("server", "api_port"),
    "web_port": ("server", "web_port"),
    "data_dir": ("server", "data_dir"),
    "enable_admin_api": ("server", "enable_admin_api"),
    "prometheus": ("prometheus", "url"),
    "prometheus_config": ("components", "metrics", "config_file"),
    "alertmanager_config": ("components", "alerting", "config_file"),
    "webhook_url": ("alerting", "webhook", "url"),
}
"""Options of ``pynomaly up``, as Python names them."""

_OF_COMMANDS = frozenset({"PYNOMALY_URL"})


def flag(option: str) -> str:
    """An option as people type it."""
    return f"--{option.replace('_', '-')}"


def given(environ: Mapping[str, str]) -> Iterator[tuple[Variable, str | list[str]]]:
    """The variables that are set; one that is empty counts as not set."""
    for variable in VARIABLES:
        if text := environ.get(variable.name, "").strip():
            parts = [part.strip() for part in text.split(",") if part.strip()]
            yield variable, parts if variable.many else text


def unknown(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables that look like ours and are not, each with the nearest that is, or ``""``."""
    ours = {variable.name for variable in VARIABLES} | _OF_COMMANDS
    for name in sorted(environ):
        if name.startswith("PYNOMALY_") and name not in ours and "_TEST_" not in name:
            near = difflib.get_close_matches(name, ours, n=1, cutoff=0.7)
            yield name, near[0] if near else ""
