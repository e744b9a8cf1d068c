"""The one place that answers: may this principal do this?"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """Everything that can be asked for. What a domain adds gets its words here."""

    HEALTH_READ = "health:read"
    PAGES_READ = "pages:read"
    METRICS_READ = "metrics:read"
    METRICS_WRITE = "metrics:write"
    ALERTS_READ = "alerts:read"
    ALERTS_SEND = "alerts:send"
    ALERTS_WRITE = "alerts:write"
    EVENTS_READ = "events:read"
    EVENTS_WRITE = "events:write"
    RULES_READ = "rules:read"
    CONFIG_READ = "config:read"
    CONFIG_WRITE = "config:write"
    AUDIT_READ = "audit:read"
    LOGIN = "login"
    ADMIN = "admin"

    @property
    def is_write(self) -> bool:
        """Whether doing it leaves an audit row."""
        return self in _WRITES

    @property
    def is_bulk(self) -> bool:
        """Whether it happens so often that the audit log counts it by the minute."""
        return self in _BULK


_BULK = frozenset({Action.METRICS_WRITE, Action.ALERTS_SEND})  # what machines send
_WRITES = _BULK | {Action.ALERTS_WRITE, Action.EVENTS_WRITE, Action.CONFIG_WRITE, Action.ADMIN}


class PrincipalKind(StrEnum):
    """How a principal proved who it is."""

    LOCAL = "local"
    TOKEN = "token"
    PASSWORD = "password"
    ANONYMOUS = "anonymous"


class Role(StrEnum):
    """What a principal is allowed as."""

    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    name: str
    kind: PrincipalKind
    roles: frozenset[Role] = frozenset()


LOCAL = Principal("local", PrincipalKind.LOCAL, frozenset({Role.ADMIN}))
"""Whoever connects from this machine; see ``peer.find_client`` for what that means."""

ANONYMOUS = Principal("anonymous", PrincipalKind.ANONYMOUS)
"""Whoever did not prove who they are."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and why. ``login_helps`` when the same request with a login may be allowed."""

    allowed: bool
    reason: str
    login_helps: bool = False


PUBLIC: frozenset[Action] = frozenset({Action.HEALTH_READ})
"""What anyone may do: the probes of orchestrators have no login."""

GRANTS: Mapping[Role, frozenset[Action]] = {Role.ADMIN: frozenset(Action)}


class Policy:
    """Role-based: an action is allowed to everyone, or to the roles that are granted it."""

    def __init__(self, grants: Mapping[Role, frozenset[Action]] = GRANTS) -> None:
        self._grants = grants

    def authorize(self, principal: Principal, action: Action, resource: str = "") -> Decision:
        """Decide. ``resource`` is what the action is done to; today no grant depends on it."""
        if action in PUBLIC:
            return Decision(True, f"{action} is open to everyone")
        for role in sorted(principal.roles):
            if action in self._grants.get(role, frozenset()):
                return Decision(True, f"{principal.name} has the role {role}")
        what = f"{action} on {resource}" if resource else str(action)
        if principal.kind is PrincipalKind.ANONYMOUS:
            return Decision(False, f"{what} needs a login", login_helps=True)
        return Decision(False, f"no role of {principal.name} is granted {what}")
