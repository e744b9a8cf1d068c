"""Settings of the pages."""

from pydantic import Field

from pynomaly.model.document import Section


class WebSettings(Section):
    """Limits that keep many or slow viewers from costing more than they should."""

    tick_seconds: float = Field(
        default=0.4,
        ge=0.1,
        le=60,
        description="Live charts are evaluated at most this often.",
    )
    idle_tick_seconds: float = Field(
        default=5.0,
        ge=0.5,
        le=300,
        description="… and at least this often, so that charts move on when no samples arrive.",
    )
    max_clients: int = Field(
        default=200,
        ge=1,
        description="Open live connections; more are told to try again later.",
    )
    max_panels_per_client: int = Field(
        default=40,
        ge=1,
        description="Charts and tables that one page may keep live.",
    )
    max_live_panels: int = Field(
        default=400,
        ge=1,
        description="Different charts and tables that are kept live for all pages together.",
    )
    evaluations_at_once: int = Field(
        default=4,
        ge=1,
        description="Queries that are evaluated for pages at the same time.",
    )
    query_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A query of a page is cancelled after this time.",
    )
    send_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="A viewer that takes nothing for this long is disconnected.",
    )
