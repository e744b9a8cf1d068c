"""The rules that are shipped."""

from importlib import resources

from pynomaly.rules.config import RuleGroup, load_rules

FILE = "defaults/pynomaly.yml"
"""The name under which ``/api/v1/rules`` shows them."""


def default_groups() -> list[RuleGroup]:
    """The groups to evaluate when nothing is configured."""
    text = (resources.files(__name__) / "pynomaly.yml").read_text(encoding="utf-8")
    return load_rules(text, FILE)
