"""Settings of the exemplar store."""

from pydantic import Field

from pynomaly.model.document import Section


class ExemplarSettings(Section):
    """How many exemplars are kept. They go with the retention of samples, too."""

    max_exemplars: int = Field(
        default=100_000,
        ge=0,
        le=100_000_000,
        description="The newest exemplars that are kept, of all series together (Prometheus's "
        "default); 0 stores none. Some 200 bytes of memory for each series that has any.",
    )
