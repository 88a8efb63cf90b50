"""Control charts: a point, a mean or a sum of deviations that left its limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

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
        self._kind = CHARTS.index(chart)
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows, 3 = at the limit."""
        if not self.state:
            return np.full(len(y), np.nan)
        return _measure(at_s, y, *self._arguments())

    def deviation(self, at_s: Floats, y: Floats) -> Floats:
        """How far y (n,) is from what is usual now, in robust deviations, with its sign."""
        if not self.state:
            return np.full(len(y), np.nan)
        return _deviations(at_s, y, *self._arguments()[:3])

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            self.state = season.empty(len(y)) | {"sums": np.zeros((len(y), 2))}
        _learn(at_s, y, *self._arguments())

    def _arguments(self) -> tuple[Any, ...]:
        arrays = (self.state[k] for k in ("season", "profile", "unrest", "sums"))
        return (*arrays, self._kind, self.weight, self.slack, self.limit)


@njit(cache=True)
def _moved(z: float, sums: Floats, kind: int, weight: float, slack: float) -> tuple[float, float]:
    """The chart's statistic upwards and downwards after a deviation."""
    z = min(max(z, -1e6), 1e6)
    if kind == 0:
        return z, -z
    if kind == 1:
        mean = (1.0 - weight) * sums[0] + weight * z
        return mean, -mean
    high = max(0.0, sums[0] + min(z, 10.0) - slack)
    low = max(0.0, sums[1] - max(z, -10.0) - slack)
    return high, low


@njit(cache=True)
def _deviations(at_s: Floats, y: Floats, s: Floats, profile: Any, unrest: Any) -> Floats:
    off = np.full(len(y), np.nan)
    for i in range(len(y)):
        if not math.isnan(y[i]) and s[i, season.SEEN] > 0:
            off[i] = y[i] - season.expected(s[i], profile[i], at_s[i])
            off[i] /= season.spread(s[i], unrest[i], at_s[i])
    return off


@njit(cache=True)
def _measure(
    at_s: Floats, y: Floats, s: Floats, profile: Any, unrest: Any, sums: Floats,
    kind: int, weight: float, slack: float, limit: float,
) -> Floats:  # fmt: skip
    raw = np.full(len(y), np.nan)
    for i in range(len(y)):
        if not math.isnan(y[i]):
            off = y[i] - season.expected(s[i], profile[i], at_s[i])
            z = off / season.spread(s[i], unrest[i], at_s[i])
            high, low = _moved(z, sums[i], kind, weight, slack)
            raw[i] = 3.0 * max(high, low) / limit
    return raw


@njit(cache=True)
def _learn(
    at_s: Floats, y: Floats, s: Floats, profile: Any, unrest: Any, sums: Floats,
    kind: int, weight: float, slack: float, limit: float,
) -> None:  # fmt: skip
    for i in range(len(y)):
        if math.isnan(y[i]):
            continue
        if s[i, season.SEEN] > 20:
            off = y[i] - season.expected(s[i], profile[i], at_s[i])
            z = off / season.spread(s[i], unrest[i], at_s[i])
            high, low = _moved(z, sums[i], kind, weight, slack)
            is_over = kind == 2 and max(high, low) > 1.5 * limit
            sums[i, 0], sums[i, 1] = (0.0, 0.0) if is_over else (high, low)
        season.learn(s[i], profile[i], unrest[i], at_s[i], y[i])


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
