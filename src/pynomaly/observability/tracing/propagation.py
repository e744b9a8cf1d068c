"""The correlation id beside W3C's trace context, in whatever carries headers."""

from opentelemetry.context import Context
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from pynomaly.observability.logs.correlation import HEADER, correlation_id


class CorrelationPropagator(TextMapPropagator):
    """Sends the current correlation id along; what receives it takes the header itself."""

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Nothing of the trace's context is in the correlation id."""
        return context or Context()

    def inject(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        setter: Setter[CarrierT] = default_setter,
    ) -> None:
        """Add the header if there is a current id."""
        current = correlation_id()
        if current is not None:
            setter.set(carrier, HEADER.lower(), current)

    @property
    def fields(self) -> set[str]:
        """The header that it sets."""
        return {HEADER.lower()}


def propagate_correlation() -> None:
    """Add it to the process's propagators (``OTEL_PROPAGATORS``), once."""
    held = get_global_textmap()
    own = CorrelationPropagator()
    if not own.fields <= held.fields:
        set_global_textmap(CompositePropagator([held, own]))
