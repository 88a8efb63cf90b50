"""Control charts: a point, a mean or a sum of deviations that left its limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.anomaly import season
from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CHARTS: Final = ("shewhart", "ewma", "cusum")


class ControlChart:
    """A control chart on robust deviations from what is usual at this time of the day and week.

    The strangeness is 3 at the limit that gives `average_run_length` points between false alarms of
    independent normal deviations. shewhart: the deviation itself; ewma: its moving mean; cusum:
    the larger of the two one-sided sums. A sum starts anew when it has passed its limit by half.
    Source: Shewhart (1931); Roberts (1959), "Control chart tests based on geometric moving
    averages"; Page (1954), "Continuous inspection schemes".
    """

    def __init__(
        self,
        chart: str = "ewma",
        average_run_length: float = 1000.0,
        weight: float = 0.2,
        slack: float = 0.5,
    ) -> None:
        """weight: of the newest point in ewma; slack: of cusum, half the shift looked for."""
        if chart not in CHARTS:
            raise ConfigError(f"chart must be one of {', '.join(CHARTS)}, got {chart!r}")
        self.settings: dict[str, Any] = {
            "chart": chart, "average_run_length": average_run_length, "weight": weight,
            "slack": slack,
        }  # fmt: skip
        self.chart, self.weight, self.slack = chart, weight, slack
        self.limit = control_limit(chart, average_run_length, weight=weight, slack=slack)
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: float, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows, 3 = at the limit."""
        if not self.state:
            return np.full(len(y), np.nan)
        high, low = self._moved(at_s, y)
        return 3.0 * np.where(np.isnan(y), np.nan, np.maximum(high, low)) / self.limit

    def learn(self, at_s: float, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            self.state = season.empty(len(y))
            self.state |= {"high": np.zeros(len(y)), "low": np.zeros(len(y))}
        high, low = self._moved(at_s, y)
        ok = np.isfinite(y) & (self.state["seen"] > 20)
        cap = 1.5 * self.limit if self.chart == "cusum" else np.inf
        for side, value in (("high", high), ("low", low)):
            moved = np.where(value > cap, 0.0, value)
            self.state[side] = np.where(ok, moved, self.state[side])
        season.learn(self.state, at_s, y)

    def _moved(self, at_s: float, y: Floats) -> tuple[Floats, Floats]:
        """The chart's statistic upwards and downwards (n,) after the point y (n,)."""
        z = np.nan_to_num(np.clip(season.deviation(self.state, at_s, y), -1e6, 1e6))
        if self.chart == "shewhart":
            return z, -z
        if self.chart == "ewma":
            mean = (1.0 - self.weight) * self.state["high"] + self.weight * z
            return mean, -mean
        high = np.maximum(0.0, self.state["high"] + np.minimum(z, 10.0) - self.slack)
        low = np.maximum(0.0, self.state["low"] - np.maximum(z, -10.0) - self.slack)
        return high, low


def control_limit(
    chart: str, average_run_length: float, *, weight: float = 0.2, slack: float = 0.5
) -> float:
    """The two-sided limit, in standard deviations, with that many points between false alarms.

    Points are independent and normal. Source: Brook, Evans (1972), "An approach to the probability
    distribution of CUSUM run length"; Lucas, Saccucci (1990) for the moving mean.

    >>> round(control_limit("shewhart", 370.4), 2)
    3.0
    """
    if not 10.0 <= average_run_length <= 1e6:
        raise ConfigError(f"average_run_length must be in 10 to 1e6, got {average_run_length}")
    if not 0.0 < weight <= 1.0:
        raise ConfigError(f"weight must be in (0, 1], got {weight}")
    low, high = 0.01, 60.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        if _run_length(chart, middle, weight, slack) < average_run_length:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _run_length(chart: str, limit: float, weight: float, slack: float) -> float:
    """Points until a chart of independent normal points passes its limit, on average."""
    if chart == "shewhart" or (chart == "ewma" and weight == 1.0):
        return 1.0 / max(math.erfc(limit / math.sqrt(2.0)), 1e-300)
    n = 101
    start = n // 2 if chart == "ewma" else 0
    if chart == "ewma":
        edges: Floats = np.linspace(-limit, limit, n + 1)
        middles: Floats = edges[:-1] + limit / n
        at = (edges[None, :] - (1.0 - weight) * middles[:, None]) / weight
        moves = np.diff(_normal(at), axis=1)
    else:
        width = 2.0 * limit / (2 * n - 1)
        middles = np.asarray(width * np.arange(n), dtype=np.float64)
        sums: Floats = (middles[None, :] + 0.5 * width) - middles[:, None] + slack
        moves = np.diff(_normal(sums), axis=1, prepend=0.0)
    length = float(np.linalg.solve(np.eye(n) - moves, np.ones(n))[start])
    if not 0.0 < length < 1e12:
        return 1e12
    return length if chart == "ewma" else 0.5 * length


def _normal(x: Floats) -> Floats:
    """The normal distribution function."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return np.asarray(0.5 * (1.0 + erf(x / math.sqrt(2.0))), dtype=np.float64)
