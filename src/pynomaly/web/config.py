"""Settings of the pages."""

from pydantic import Field

from pynomaly.model.document import Section


class WebSettings(Section):
    """Limits that keep many or slow viewers from costing more than they should."""

    tick_seconds: float = Field(1.0, ge=0.1, le=60)
    """Live charts are evaluated at most this often."""
    idle_tick_seconds: float = Field(5.0, ge=0.5, le=300)
    """… and at least this often, so that charts move on when no samples arrive."""
    max_clients: int = Field(200, ge=1)
    """Open live connections; more are told to try again later."""
    max_panels_per_client: int = Field(40, ge=1)
    """Charts and tables that one page may keep live."""
    max_live_panels: int = Field(400, ge=1)
    """Different charts and tables that are kept live for all pages together."""
    evaluations_at_once: int = Field(4, ge=1)
    """Queries that are evaluated for pages at the same time."""
    query_timeout_seconds: float = Field(30.0, gt=0)
    """A query of a page is cancelled after this time."""
    send_timeout_seconds: float = Field(30.0, gt=0)
    """A viewer that takes nothing for this long is disconnected."""
