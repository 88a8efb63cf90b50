"""Which actions an alert may lead to, and how far they may go: rules and limits, from TOML."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headway.records import Alert

MODES: Final = ("observe", "propose", "act")
"""How far a response goes: say what it would do, ask a person, or do it."""
SEVERITIES: Final = ("info", "warning", "critical")
DEFAULT: Final = Path(__file__).with_name("default.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What may be done about some alerts."""

    name: str
    kinds: tuple[str, ...]  # of alerts it is for
    actions: tuple[str, ...]  # in order of preference, until outcomes say otherwise
    severity: str = "warning"  # of an alert, at least
    least_score: float = 0.0
    mode: str = "act"  # it goes no further than this, whatever was asked for
    cooldown_s: float = 3600.0  # until the same is done to the same subject again
    expires_s: float | None = None  # after which a proposal is void, or what was done is undone
    least_gain: float = 0.0  # expected by a simulation, in core-seconds; what gains less is refused

    def __post_init__(self) -> None:
        """ConfigError where a setting is out of its range."""
        if self.mode not in MODES:
            raise ConfigError(f"mode of rule {self.name} must be {_one_of(MODES)}")
        if self.severity not in SEVERITIES:
            raise ConfigError(f"severity of rule {self.name} must be {_one_of(SEVERITIES)}")
        if self.cooldown_s < 0.0 or (self.expires_s or 1.0) <= 0.0:
            raise ConfigError(f"cooldown_s and expires_s of rule {self.name} must be above 0")
        if not self.kinds or not self.actions:
            raise ConfigError(f"rule {self.name} needs kinds and actions, at least one each")

    def is_for(self, alert: Alert) -> bool:
        """Whether an alert is one of those that this rule is for."""
        is_loud = SEVERITIES.index(alert.severity) >= SEVERITIES.index(self.severity)
        return alert.kind in self.kinds and is_loud and alert.score >= self.least_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What all rules together may not exceed."""

    actions_per_hour: int = 20
    nodes_at_once: int = 2  # taken out of service
    nodes_share: float = 0.05  # of the cluster's nodes, where that is more than nodes_at_once
    queue_share: float = 0.2  # of the tasks that wait or run, touched within an hour

    def __post_init__(self) -> None:
        """ConfigError where a limit is out of its range."""
        if self.actions_per_hour < 0 or self.nodes_at_once < 0:
            raise ConfigError("actions_per_hour and nodes_at_once must be at least 0")
        for name in ("nodes_share", "queue_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must be in [0, 1], got {getattr(self, name)}")

    def most_nodes(self, of: int) -> int:
        """How many of a cluster's nodes may be out of service; of = 0 where that is unknown."""
        if self.nodes_at_once == 0:
            return 0
        return max(self.nodes_at_once, math.floor(self.nodes_share * of))


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where alerts are sent; secret_file holds what they are signed with."""

    url: str
    secret_file: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """A rule file: the first rule that is for an alert decides."""

    rules: tuple[Rule, ...]
    limits: Limits = Limits()
    webhook: Webhook | None = None
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by action
    undo: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def rule_for(self, alert: Alert) -> Rule | None:
        """The first rule that is for an alert."""
        return next((rule for rule in self.rules if rule.is_for(alert)), None)


def load_rules(path: Path = DEFAULT) -> Rules:
    """The rules of a TOML file; ConfigError names what is wrong in it."""
    try:
        read = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read the rules in {path}: {error}") from error
    unknown = set(read) - {"rule", "limits", "webhook", "commands", "undo"}
    if unknown:
        raise ConfigError(f"{path} has an unknown part {min(unknown)!r}")
    if not isinstance(read.get("rule", []), list):
        raise ConfigError(f"rules in {path} begin with [[rule]], not [rule]")
    return Rules(
        tuple(_made(Rule, one, path) for one in read.get("rule", [])),
        _made(Limits, read.get("limits", {}), path),
        _made(Webhook, read["webhook"], path) if "webhook" in read else None,
        _lines(read.get("commands", {}), path),
        _lines(read.get("undo", {}), path),
    )


def _made(what: type[Any], said: Any, path: Path) -> Any:
    """A record from a table of a rule file."""
    known = {f.name: str(f.type) for f in fields(what)}
    if not isinstance(said, dict):
        raise ConfigError(f"{what.__name__.lower()} in {path} must be a table, got {said!r}")
    given: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            allowed = ", ".join(known)
            raise ConfigError(f"unknown setting {name!r} in {path}; known are {allowed}")
        given[name] = _checked(name, value, known[name], path)
    lacking = [n for n in ("name", "kinds", "actions", "url") if n in known and n not in given]
    if lacking:
        raise ConfigError(f"a {what.__name__.lower()} in {path} lacks {', '.join(lacking)}")
    return what(**given)


def _checked(name: str, value: Any, kind: str, path: Path) -> Any:
    """A setting of the right type."""
    if kind.startswith("tuple"):
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        raise ConfigError(f"{name} in {path} must be a list of words, got {value!r}")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    is_right = isinstance(value, str) if kind == "str" else is_number
    if not is_right or (kind == "int" and not isinstance(value, int)):
        raise ConfigError(f"{name} in {path} must be a {kind.split()[0]}, got {value!r}")
    return value


def _lines(said: Any, path: Path) -> dict[str, tuple[str, ...]]:
    """Commands by action, each a list of words."""
    if not isinstance(said, dict):
        raise ConfigError(f"commands in {path} must be a table, got {said!r}")
    return {name: _checked(name, words, "tuple", path) for name, words in said.items()}


def _one_of(names: tuple[str, ...]) -> str:
    return "one of " + ", ".join(names)
