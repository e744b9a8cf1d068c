"""Where the records live."""

from pydantic import Field, SecretStr

from pynomaly.model.document import Section


class RecordsSettings(Section):
    """Where relational state is kept: the audit log now; silences and incidents later."""

    url: SecretStr | None = Field(
        default=None,
        description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE. Without it, records are kept "
        "in records.sqlite in the data folder.",
    )
    pool_size: int = Field(default=5, ge=1, le=100, description="Connections kept open.")
    connect_timeout_seconds: int = Field(
        default=5, ge=1, le=300, description="How long to wait for PostgreSQL to answer."
    )
