"""What a suite says of us."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Score:
    """Cases that agree with the reference, and a line for each that does not."""

    suite: str
    passed: int = 0
    differences: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """What the reference has and we do not, by name."""

    def note(self, case: str, difference: str = "") -> None:
        """Count a case; an empty difference means that it agrees."""
        if difference:
            self.differences.append(f"{case}: {difference}")
        else:
            self.passed += 1

    def __str__(self) -> str:
        total = self.passed + len(self.differences)
        missing = f", {len(self.missing)} missing" if self.missing else ""
        return f"{self.suite}: {self.passed} of {total} agree{missing}"


Suite = Callable[[Path], "Score | None"]
"""Judges us by the repository found under a folder; None when it is not there."""
