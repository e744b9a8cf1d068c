"""What the parts that make less noise are told."""

from collections.abc import Sequence
from dataclasses import dataclass

from pynomaly.alerting.flapping.config import FlappingSettings
from pynomaly.alerting.suppression.rule import SuppressionRuleSettings

FIRINGS_RETENTION = 90 * 86_400.0


@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """``firings_retention``: seconds for which it is kept how often alerts fired."""

    suppression_rules: Sequence[SuppressionRuleSettings] = ()
    flapping: FlappingSettings = FlappingSettings()  # noqa: RUF009 (immutable)
    firings_retention: float = FIRINGS_RETENTION
