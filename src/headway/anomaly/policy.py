"""When a score becomes an alert: the settings, and those that are usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from headway.errors import ConfigError

_DAY_S: Final = 86_400.0
_WEEK_S: Final = 7 * _DAY_S
_STRANGE: Final = 10.0**0.55  # strange points of `points` that go with one alert


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """When a score becomes an alert.

    threshold: score from which a point is strange. least_s: how long it must stay strange. quiet_s:
    how long it must not be strange until the incident is over. hold_s: from one alert of a series
    to its next, whatever comes. direction: both, up or down, against the expected band. group_s:
    series that become strange within this time of one another, correlated or of one group, are one
    incident. maintenance: (from_s, to_s) in which nothing is raised. critical: score from which the
    severity is critical; info below the middle between them. budget_per_day: alerts of all series
    together that the threshold aims at. It is no hard limit, as an outage must be told also when
    all is spent: each alert moves the threshold up by a quarter of a decade of rarity and time down
    again, so what comes beyond the budget is a quarter of a decade rarer each time, and there are
    at most 1 + budget x days + 4 x the decades between the threshold and the rarest point (of
    points up to 12 decades rare; rarer ones are always raised). lift: decades of rarity
    by which an alert raises the threshold of its own series, half of it gone after fade_s.
    """

    threshold: float = 0.9995
    least_s: float = 0.0
    quiet_s: float = 1800.0
    hold_s: float = _DAY_S
    direction: str = "both"
    group_s: float = 600.0
    correlation: float = 0.6
    maintenance: tuple[tuple[float, float], ...] = ()
    critical: float = 0.999_999
    budget_per_day: float | None = None
    lift: float = 0.0
    fade_s: float = 30 * _DAY_S

    def __post_init__(self) -> None:
        """ConfigError where a setting is out of its range."""
        if not 0.0 < self.threshold < 1.0:
            raise ConfigError(f"threshold must be in (0, 1), got {self.threshold}")
        if self.direction not in ("both", "up", "down"):
            raise ConfigError(f"direction must be both, up or down, got {self.direction!r}")
        for name in ("least_s", "quiet_s", "hold_s", "group_s", "lift"):
            if not getattr(self, name) >= 0.0:
                raise ConfigError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.budget_per_day is not None and not self.budget_per_day > 0.0:
            raise ConfigError(f"budget_per_day must be above 0, got {self.budget_per_day}")


def usual_policy(step_s: float, **changes: Any) -> AlertPolicy:
    """The policy for scores of `ensemble` of series with a point every step_s seconds.

    A low threshold that each alert lifts, so that a series that is often strange must be stranger;
    an alert a hundred points at most. As chosen on half of the files of the Numenta benchmark.
    """
    settings: dict[str, Any] = {
        "threshold": 0.9, "quiet_s": 5 * step_s, "hold_s": 100 * step_s, "group_s": 3 * step_s,
        "lift": 0.15, "fade_s": 10_000 * step_s, "critical": 0.9999,
    }  # fmt: skip
    return AlertPolicy(**(settings | changes))


def weekly_policy(step_s: float, alerts: float = 1.0, **changes: Any) -> AlertPolicy:
    """The policy for scores of `points` that aims at so many alerts a week of a series.

    How rare a point must be goes by how many points of the series a week has: what comes once in a
    thousand points is a matter of weeks with a point an hour, of one day with a point a minute.
    Busy series raise more than calm ones. As chosen on half of the series of cloud monitoring.
    """
    if not alerts > 0.0:
        raise ConfigError(f"alerts must be above 0, got {alerts}")
    share = min(_STRANGE * alerts * step_s / _WEEK_S, 0.5)
    settings: dict[str, Any] = {
        "threshold": 1.0 - share, "critical": 1.0 - 0.01 * share, "quiet_s": 3 * step_s,
        "hold_s": 0.0, "group_s": 3 * step_s,
    }  # fmt: skip
    return AlertPolicy(**(settings | changes))
