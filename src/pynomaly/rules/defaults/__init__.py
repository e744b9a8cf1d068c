"""The rules that are shipped."""

from importlib import resources

from pynomaly.rules.config import RuleGroup, load_rules

FILE = "defaults/pynomaly.yml"
"""The name under which ``/api/v1/rules`` shows them."""


PEER_FILE = "defaults/prometheus.yml"


def default_groups() -> list[RuleGroup]:
    """The groups to evaluate when nothing is configured."""
    return load_rules(_text("pynomaly.yml"), FILE)


def peer_groups() -> list[RuleGroup]:
    """The groups to add when all series are on another server: whether it is there."""
    return load_rules(_text("prometheus.yml"), PEER_FILE)


def _text(name: str) -> str:
    return (resources.files(__name__) / name).read_text(encoding="utf-8")
