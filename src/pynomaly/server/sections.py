"""The sections of the configuration: what every part can be told."""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict

from pynomaly.access.config import AccessSettings
from pynomaly.alerting.alertmanager.defaults import ChannelSettings
from pynomaly.alerting.config import AlertingSettings
from pynomaly.calendar.config import CalendarSettings
from pynomaly.detection.config import DetectionSettings
from pynomaly.detection.watched.config import Algorithm, TrainingSettings, WatchedQuery
from pynomaly.ingest.host.config import HostSection
from pynomaly.ingest.push import PushLimits
from pynomaly.ingest.scrape.settings import ScrapeSettings
from pynomaly.model.document import Section
from pynomaly.model.duration import Duration
from pynomaly.promql.config import QuerySettings
from pynomaly.rules.config import RulesSettings
from pynomaly.storage.engine.config import EngineSettings
from pynomaly.storage.exemplars.config import ExemplarSettings
from pynomaly.storage.peer.config import PeerSettings
from pynomaly.storage.records.config import RecordsSettings
from pynomaly.storage.samples.config import SampleSettings
from pynomaly.web.config import WebSettings

DEFAULT_FILE = Path("config/advanced_monitoring.yml")

RESERVED: JsonDict = {"reserved": True}
"""Marks what is accepted now and takes effect with a later version: ``config check`` says so."""

Port = Annotated[int, Field(ge=0, le=65_535)]


def _network(text: str) -> str:
    ipaddress.ip_network(text)  # its error says what is wrong
    return text


def _web_address(text: str) -> str:
    if text and not re.match(r"https?://[^/\s]+", text):
        raise ValueError("an address such as https://mon.example.com is expected")
    return text.rstrip("/")


def _level(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class GlobalSection(Section):
    """What holds for everything."""

    service_name: str = Field(
        default="pynomaly",
        min_length=1,
        description="The name by which this installation calls itself.",
    )
    environment: str = Field(
        default="production",
        min_length=1,
        description="Where it runs: production, staging, and so on.",
    )
    data_retention_days: int = Field(
        default=90,
        ge=1,
        le=36_500,
        description="How long samples are kept, in days, unless `storage.samples.retention_days` "
        "says otherwise.",
    )


class ServerSection(Section):
    """What the server listens on, and where it keeps things."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="The address to listen on. Any but this machine's own needs a login: see "
        "`access`.",
    )
    api_port: Port = Field(default=8090, description="Everything that machines speak; 0 takes any.")
    web_port: Port = Field(default=8080, description="Everything that people see; 0 takes any.")
    data_dir: Path = Field(
        default=Path("pynomaly-data"),
        description="Where everything is kept. A relative path starts at the working directory.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="Further names of this server, as clients write them in `Host`; "
        "`*.example.com` stands for all below example.com.",
    )
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(),
        description="Addresses or networks (`10.0.0.0/8`) of reverse proxies whose "
        "`X-Forwarded-For` is believed.",
    )

    enable_admin_api: bool = Field(
        default=False,
        description="Whether `/api/v1/admin/tsdb/` deletes series and takes snapshots, for those "
        "who may administrate. Prometheus calls it `--web.enable-admin-api`.",
    )
    external_url: Annotated[str, AfterValidator(_web_address)] = Field(
        default="",
        description="Where people reach the pages, such as `https://mon.example.com`: for the "
        "links in notifications. Unless given it is the address that is listened on.",
    )

    @model_validator(mode="after")
    def _two_ports(self) -> "ServerSection":
        if self.api_port == self.web_port != 0:
            raise ValueError(f"api_port and web_port are both {self.api_port}; they must differ")
        return self


class StorageSection(Section):
    """Where and how things are stored."""

    engine: EngineSettings = Field(default=EngineSettings(), description="The embedded engine.")
    samples: SampleSettings = Field(default=SampleSettings(), description="Samples of metrics.")
    exemplars: ExemplarSettings = Field(
        default=ExemplarSettings(), description="Exemplars of metrics."
    )
    records: RecordsSettings = Field(default=RecordsSettings(), description="Relational state.")


class MetricsComponent(Section):
    """Which metrics are scraped."""

    config_file: Path | None = Field(
        default=None,
        description="A `prometheus.yml` to scrape by. A relative path starts at the folder of "
        "this file.",
    )
    scrape: ScrapeSettings = Field(
        default=ScrapeSettings(), description="What a `prometheus.yml` has no words for."
    )


class AnomalyDetectionComponent(DetectionSettings):
    """Finding anomalies."""

    enabled: bool = Field(default=True, description="Judge series, and write `anomaly_score`.")
    algorithms: tuple[Algorithm, ...] = Field(
        default=(Algorithm(name="seasonal"),),
        description="By which algorithms watched queries are judged that name none.",
    )
    queries: tuple[WatchedQuery, ...] = Field(
        default=(),
        description="Expressions whose series are judged by detectors trained on their history.",
    )
    training: TrainingSettings = Field(
        default=TrainingSettings(), description="When and how those are trained."
    )

    @field_validator("queries")
    @classmethod
    def _names_differ(cls, queries: tuple[WatchedQuery, ...]) -> tuple[WatchedQuery, ...]:
        names = [each.name for each in queries]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two watched queries are named {twice}; their scores would be one")
        return queries


class AlertingComponent(Section):
    """Who is told of alerts."""

    config_file: Path | None = Field(
        default=None,
        description="An `alertmanager.yml` to route and deliver by. A relative path starts at the "
        "folder of this file. Without one, alerts go by severity to the channels that "
        "`integrations` names, and to `alerting.webhook`.",
    )


class AlertCorrelationComponent(Section):
    """Grouping alerts that have one cause."""

    enabled: bool = Field(default=False, description="Correlate alerts.")
    correlation_window_minutes: float = Field(
        default=10,
        gt=0,
        description="How far apart alerts of one cause may be.",
    )


class SloMonitoringComponent(Section):
    """Objectives and error budgets."""

    enabled: bool = Field(default=False, description="Track objectives.")


class CapacityPlanningComponent(Section):
    """Forecasts of capacity."""

    enabled: bool = Field(default=False, description="Forecast capacity.")


class ComponentsSection(Section):
    """The parts of the product."""

    metrics: MetricsComponent = Field(default=MetricsComponent(), description="Scraping.")
    anomaly_detection: AnomalyDetectionComponent = Field(
        default=AnomalyDetectionComponent(),
        description="Anomalies.",
    )
    alerting: AlertingComponent = Field(default=AlertingComponent(), description="Alerting.")
    alert_correlation: AlertCorrelationComponent = Field(
        default=AlertCorrelationComponent(),
        description="Correlation.",
        json_schema_extra=RESERVED,
    )
    slo_monitoring: SloMonitoringComponent = Field(
        default=SloMonitoringComponent(),
        description="Objectives.",
        json_schema_extra=RESERVED,
    )
    capacity_planning: CapacityPlanningComponent = Field(
        default=CapacityPlanningComponent(),
        description="Capacity.",
        json_schema_extra=RESERVED,
    )


class LoggingSection(Section):
    """The server's own log."""

    level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level)
    ] = Field(default="INFO", description="The least severity that is logged.")


class HostMetricsSection(HostSection):
    """Metrics of the machine that the server runs on."""

    interval: Annotated[Duration, Field(ge=0.5)] = Field(
        default=5.0,
        description="How often the host is measured.",
    )


class RulesSection(RulesSettings):
    """Recording and alerting rules."""

    rule_files: tuple[Path, ...] = Field(
        default=(),
        description="Prometheus rule files, with wildcards if you like. Relative paths start at "
        "the folder of this file.",
    )


class IntegrationsSection(ChannelSettings):
    """Other systems."""

    elasticsearch_host: str | None = Field(
        default=None,
        description="An Elasticsearch to read logs from.",
        json_schema_extra=RESERVED,
    )
    jaeger_endpoint: str | None = Field(
        default=None,
        description="A Jaeger collector to send traces to.",
        json_schema_extra=RESERVED,
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="A Redis for several processes.",
        json_schema_extra=RESERVED,
    )


class Configuration(Section):
    """Everything that can be configured."""

    global_: GlobalSection = Field(default=GlobalSection(), alias="global")
    server: ServerSection = ServerSection()
    access: AccessSettings = AccessSettings()
    components: ComponentsSection = ComponentsSection()
    host_metrics: HostMetricsSection = HostMetricsSection.model_validate({})
    ingest: PushLimits = PushLimits()
    storage: StorageSection = StorageSection()
    prometheus: PeerSettings = PeerSettings.model_validate({})
    query: QuerySettings = QuerySettings()
    rules: RulesSection = RulesSection()
    alerting: AlertingSettings = AlertingSettings()
    calendar: CalendarSettings = CalendarSettings()
    web: WebSettings = WebSettings.model_validate({})
    logging: LoggingSection = LoggingSection()
    integrations: IntegrationsSection = IntegrationsSection()


def reserved_in_use(section: BaseModel, prefix: str = "") -> Iterator[str]:
    """The dotted names of what is set, differs from its default, and has no effect yet."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        dotted = f"{prefix}{field.alias or name}"
        extra = field.json_schema_extra
        if isinstance(extra, Mapping) and extra.get("reserved"):
            if value != field.get_default(call_default_factory=True):
                yield dotted
        elif isinstance(value, BaseModel):
            yield from reserved_in_use(value, f"{dotted}.")


Model = TypeVar("Model", bound=BaseModel)


def replaced(section: Model, path: Sequence[str], value: Any) -> Model:
    """A copy of a section with one value changed, however deep."""
    head, *rest = path
    new = replaced(getattr(section, head), rest, value) if rest else value
    return section.model_copy(update={head: new})
