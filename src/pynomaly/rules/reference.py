"""The page of the shipped rules, written from the files themselves.

``python -m pynomaly.rules.reference > docs/reference/rules.md`` renews it.
"""

import sys
from collections.abc import Iterator

from pynomaly.model.duration import format_duration
from pynomaly.rules.config import Rule, RuleGroup
from pynomaly.rules.defaults import default_groups, peer_groups

_HEAD = """\
# The shipped rules

They are in [`config/rules`](../../config/rules), one file for each subject, in Prometheus's form:
any Prometheus takes them as they are. All are evaluated unless `rules.defaults` chooses some of
them ([configuration](configuration.md)); rules over series that nobody sends cost about a
millisecond a group. Where a guide's expression was wrong, the comment above the rule says what was
corrected, and why. To change one: [silence and tune](../runbooks/README.md#silence-and-tune).

| severity | what it asks for |
| --- | --- |
| `critical` | somebody now |
| `high` | somebody today, at once if it is your service |
| `warning` | a look within the working day |
| `info` | nothing; it helps to find causes |
| `none` | nothing: the watchdog, for whoever watches the watcher |
"""


def as_markdown() -> str:
    """Every rule of every file, in tables."""
    return "\n".join([_HEAD, *_sections([*default_groups(), *peer_groups()])])


def _sections(groups: list[RuleGroup]) -> Iterator[str]:
    files: dict[str, list[RuleGroup]] = {}
    for group in groups:
        files.setdefault(group.file.removeprefix("defaults/").removesuffix(".yml"), []).append(
            group
        )
    for name, mine in files.items():
        yield f"## {name}\n\n| alert | severity | for | condition |\n| --- | --- | --- | --- |"
        rules = [rule for group in mine for rule in group.rules]
        yield from (_row(rule) for rule in rules if rule.alert)
        recorded = [f"`{rule.record}`" for rule in rules if rule.record]
        yield f"\nRecords {', '.join(recorded)}.\n" if recorded else ""


def _row(rule: Rule) -> str:
    link = f"[{rule.alert}](../runbooks/{rule.alert}.md)"
    hold = format_duration(rule.hold) if rule.hold else ""
    expr = " ".join(rule.expr.split()).replace("|", "\\|")
    return f"| {link} | {rule.labels['severity']} | {hold} | `{expr}` |"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
