"""What lint says of a rule."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How sure it is that something is wrong."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake of one rule.

    ``fragment`` is the part of the expression or template, ``suggestion`` what to write instead,
    ``proof`` a counter-example from stored series; each may be empty.
    """

    check: str
    severity: Severity
    message: str
    fragment: str = ""
    suggestion: str = ""
    proof: str = ""
    file: str = ""
    line: int = 0
    group: str = ""
    rule: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {name: value for name, value in asdict(self).items() if value != ""}
