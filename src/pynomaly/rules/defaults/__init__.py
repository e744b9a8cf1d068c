"""The rules that are shipped: the files of ``config/rules``, by subject."""

from collections.abc import Collection
from pathlib import Path

from pynomaly.model.document import ConfigError
from pynomaly.rules.config import RuleGroup, load_rules

ALL = "all"

PEER = "prometheus"
"""The file that is about the server that holds all series; not a matter of choice."""


def names() -> list[str]:
    """The files that can be chosen, by their names without the ending."""
    return sorted(path.stem for path in _folder().glob("*.yml") if path.stem != PEER)


def default_groups(chosen: Collection[str] = (ALL,)) -> list[RuleGroup]:
    """The groups of these files, of all of them for ``all``.

    Raises:
        ConfigError: there is no such file.
    """
    known = names()
    if unknown := sorted(set(chosen) - {ALL, *known}):
        raise ConfigError(
            f"rules.defaults: there are no shipped rules named {unknown[0]!r}.",
            hint=f"There are {', '.join(known)}; and all, none.",
        )
    wanted = known if ALL in chosen else [name for name in known if name in chosen]
    return [group for name in wanted for group in _load(name)]


def peer_groups() -> list[RuleGroup]:
    """The groups to add when all series are on another server: whether it is there."""
    return _load(PEER)


def _load(name: str) -> list[RuleGroup]:
    text = (_folder() / f"{name}.yml").read_text(encoding="utf-8")
    # The name under which /api/v1/rules shows them.
    return load_rules(text, f"defaults/{name}.yml")


def _folder() -> Path:
    """Beside this module where it was installed, ``config/rules`` in a checkout."""
    here = Path(__file__).parent
    return here if any(here.glob("*.yml")) else here.parents[3] / "config" / "rules"
