"""Quantiles of a target from Gaussian processes, one a kind of task: made for few runs of many.

`surface` is the regression itself, for whoever has a few measurements and wants to know what one
more would be and how sure that is. Source: Rasmussen, Williams (2006), chapters 2 and 5.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.predict.answer import answer
from headway.predict.boosted import LEVELS
from headway.predict.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.records import Estimate

    Floats = NDArray[np.float64]

_LEAST: Final = 4  # outcomes of a kind before it is answered
_VARIANCES: Final = (1e-2, 1e2)  # bounds of the variance of the mean over that of all
_NOISES: Final = (1e-3, 2.0)  # bounds of the variance of noise over that of all
_LENGTHS: Final = (0.1, 100.0)  # bounds of length scales over the spread of a column
_MOST_LATE: Final = 32  # outcomes until they are fitted, at most
_LEAST_SPREAD: Final = 0.01  # of a log; the same task never runs twice alike


@dataclass(frozen=True, slots=True)
class Surface:
    """A number over x, as a Gaussian process believes it.

    theta: the logs of its settings: variance, length scale of each column, variance of noise.
    """

    theta: Floats
    _x: Floats  # (m, d), placed and divided by the length scales
    _alpha: Floats  # (m,)
    _whiten: Floats  # (m, m), the inverse of the Cholesky factor
    _center: Floats
    _scale: Floats
    _mean: float
    _spread: float

    def at(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (n,) of one more measurement, noise and all, at x (n, d).

        Where x is not known (NaN) it is taken to be as usual. Source: Rasmussen, Williams (2006),
        equations 2.25 and 2.26.
        """
        settings = np.exp(self.theta)
        likeness = _matern(_placed(x, self._center, self._scale) / settings[1:-1], self._x)
        likeness *= settings[0]
        explained = np.sum((likeness @ self._whiten.T) ** 2, axis=1)
        variance = np.maximum(settings[0] - explained, 0.0) + settings[-1]
        mean = self._mean + self._spread * (likeness @ self._alpha)
        return mean, self._spread * np.sqrt(variance)


def surface(x: Floats, y: Floats, *, theta: Floats | None = None, seed: int = 0) -> Surface:
    """The Gaussian process of measurements y (m,) at x (m, d), m at least 2.

    Matern 5/2 with a length scale a column, plus noise, all found by marginal likelihood with
    scikit-learn, or taken from `theta` of an earlier surface, which is many times faster. x and y
    may have any unit and any center, NaN in x = not known; a column that never changes does not
    count.
    """
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, x, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(known, x - center, 0.0) ** 2).sum(axis=0) / count)
    scale = np.where(scale > 1e-9 * np.maximum(np.abs(center), 1.0), scale, np.inf)
    mean, spread = float(y.mean()), float(y.std()) or _LEAST_SPREAD
    placed, relative = _placed(x, center, scale), (y - mean) / spread
    if theta is None:
        theta = _searched(placed, relative, seed)
    settings = np.exp(theta)
    near = placed / settings[1:-1]
    covariance = settings[0] * _matern(near, near) + (settings[-1] + 1e-10) * np.eye(len(y))
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    alpha = whiten.T @ (whiten @ relative)
    return Surface(theta, near, alpha, whiten, center, scale, mean, spread)


def _placed(x: Floats, center: Floats, scale: Floats) -> Floats:
    """Numbers about 0 and of size 1, 0 where not known."""
    placed: Floats = np.nan_to_num((x - center) / scale)
    return placed


def _matern(a: Floats, b: Floats) -> Floats:
    """Likeness (n, m) of rows a (n, d) and b (m, d) in length scales: Matern, 5/2."""
    squared = np.sum((a[:, None, :] - b[None, :, :]) ** 2, axis=2)
    distance = np.sqrt(5.0 * squared)
    likeness: Floats = (1.0 + distance + 5.0 / 3.0 * squared) * np.exp(-distance)
    return likeness


def _searched(x: Floats, y: Floats, seed: int) -> Floats:
    """Logs of variance, length scales and noise (d + 2,) with the largest marginal likelihood."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    from threadpoolctl import threadpool_limits

    shape = Matern(np.full(x.shape[1], 2.0), _LENGTHS, nu=2.5)
    kernel = ConstantKernel(1.0, _VARIANCES) * shape + WhiteKernel(0.1, _NOISES)
    regressor = GaussianProcessRegressor(kernel, random_state=seed)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound that is met is an answer
        regressor.fit(x, y)
    theta: Floats = regressor.kernel_.theta
    return theta


@dataclass(slots=True)
class _Kind:
    """What is known of one kind of task: rows (m, d), logs of outcomes, the surface of some."""

    rows: list[Floats]
    log_y: list[float]
    count: int = 0  # outcomes that ever counted
    searched: int = 0  # of them at the last search for settings
    due: int = _LEAST  # of them at the next fit
    fitted: int = 0  # rows from the first on that the surface goes through
    theta: Floats | None = None
    surface: Surface | None = None

    def go_through(self, most: int) -> None:
        """Fit the surface anew on the latest rows; search for settings at 4, 16, ..."""
        self.due = self.count + min(max(self.count // 8, 1), _MOST_LATE)
        self.rows, self.log_y = self.rows[-most:], self.log_y[-most:]
        x, y = np.array(self.rows), np.array(self.log_y)
        if self.count >= 4 * self.searched and self.searched < most:
            self.theta, self.searched = surface(x, y).theta, self.count
        self.surface, self.fitted = surface(x, y, theta=self.theta), len(x)


class Gaussian:
    """A Gaussian process of log(1 + target) over logs of numbers, for each kind of task.

    A kind with fewer than 4 outcomes is refused. The surface goes through the latest `most`
    outcomes of its kind, anew after an eighth more, at most 32; its settings are found anew at 4,
    16, 64 outcomes up to `most` and kept from then on: that is what bounds the cost of kinds with
    much data. A lower bound counts only where it exceeds what was believed. Outcomes are
    taken in blocks of `every`.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        key: str = "name",
        levels: Sequence[float] = LEVELS,
        cap: str = "",
        most: int = 200,
        every: int = 1,
    ) -> None:
        """Look at the logs of the named columns; key: the column of codes that tells kinds."""
        self.levels = np.array(levels, dtype=np.float64)
        self._cap, self._most = cap, most
        window = Window([key, *columns], size=every, first_fit=every, every=every, is_steady=True)
        self._window, self._kinds = window, dict[float, _Kind]()

    def predict(self, x: Features) -> Estimate:
        """Levels of a normal distribution of the log for each row of a kind that is known."""
        logs = np.full((len(x), len(self.levels)), np.nan)
        z = np.array([NormalDist().inv_cdf(level) for level in self.levels])
        rows, _ = self._window.rows(x)
        for code in np.unique(rows[:, 0]):
            kind = self._kinds.get(float(code))
            if kind is not None and kind.surface is not None:
                at = np.flatnonzero(rows[:, 0] == code)
                mean, spread = kind.surface.at(_logs(rows[at, 1:]))
                logs[at] = mean[:, None] + np.maximum(spread, _LEAST_SPREAD)[:, None] * z
        few = f"fewer than {_LEAST} outcomes of this kind of task"
        refused = np.where(np.isnan(logs[:, 0]), few, "")
        return answer(x, logs, self.levels, made_by="gaussian-1", refused=refused, cap=self._cap)

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Take outcomes in, in blocks of `every`."""
        self._window.learn(x, y, censored, self._take)

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next block is taken."""
        return self._window.rows_to_refit()

    def save(self) -> dict[str, bytes]:
        """Settings, the outcomes of each kind and the settings of its surface, by file name."""
        kinds = {
            code: {
                "rows": np.array(k.rows).tolist(), "log_y": k.log_y, "count": k.count,
                "searched": k.searched, "due": k.due, "fitted": k.fitted,
                "theta": None if k.theta is None else k.theta.tolist(),
            }
            for code, k in self._kinds.items()
        }  # fmt: skip
        settings = {"levels": self.levels.tolist(), "cap": self._cap, "most": self._most}
        words = {"settings": settings, "kinds": list(kinds.items())}
        return {"gaussian.json": json.dumps(words).encode(), "gaussian.npz": self._window.save()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Gaussian:
        """A Gaussian as it was saved; its surfaces are laid through their outcomes again."""
        words = json.loads(files["gaussian.json"])
        gaussian = cls((), **words["settings"])
        gaussian._window = Window.load(files["gaussian.npz"])
        for code, saved in words["kinds"]:
            rows, theta = [np.array(row) for row in saved.pop("rows")], saved.pop("theta")
            kind = _Kind(rows, **saved)
            if theta is not None:
                kind.theta, n = np.array(theta), kind.fitted
                kind.surface = surface(
                    np.array(rows[:n]), np.array(kind.log_y[:n]), theta=kind.theta
                )
            gaussian._kinds[float(code)] = kind
        return gaussian

    def _take(self) -> None:
        """Add the new outcomes to their kinds and fit those surfaces that are due."""
        window, due = self._window, set[float]()
        new = slice(len(window.x) - window.every, None)
        parts = (window.x[new], window.log_y[new], window.censored[new])
        for row, log_y, is_bound in zip(*parts, strict=True):
            kind = self._kinds.setdefault(float(row[0]), _Kind([], []))
            x = _logs(row[1:])
            if np.isnan(log_y) or (is_bound and _is_believed(kind, x, log_y)):
                continue
            kind.rows.append(x)
            kind.log_y.append(float(log_y))
            kind.count += 1
            if kind.count >= kind.due:
                due.add(float(row[0]))
        for code in due:
            self._kinds[code].go_through(self._most)


def _is_believed(kind: _Kind, x: Floats, log_y: float) -> bool:
    """Whether a lower bound says nothing that was not believed already."""
    return kind.surface is not None and bool(log_y <= kind.surface.at(x[None])[0][0])


def _logs(numbers: Floats) -> Floats:
    """Logs of columns of sizes and counts, NaN where not known."""
    logs: Floats = np.log1p(np.maximum(numbers, 0.0))
    return logs
