"""Isolation Forest: points that few random cuts set apart from the recent past."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from headway.anomaly import lags, season
from headway.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FEATURES: Final = lags.FEATURES + 1  # and the deviation from what is usual at this time
_HELD: Final = 2048  # rows that a forest is fitted on at most


class Isolation:
    """How soon random cuts set the recent past apart, by one forest for all series of a panel.

    Rows are the features of `lags` and the deviation from what is usual at this time of the day and
    week, in each series' own deviations, so that one forest serves all. It is fitted on a random
    sample of what came, when `first` points have come and every time twice as many have, at most
    `every` points apart. Needs scikit-learn when it is fitted; not when it scores.
    Source: Liu, Ting, Zhou (2008), "Isolation forest".
    """

    def __init__(self, trees: int = 64, first: int = 128, every: int = 2000, seed: int = 0) -> None:
        """trees: of the forest; first, every: points until the first and between later fits."""
        if trees < 1 or first < 2 * lags.HELD or every < 1:
            raise ConfigError(
                f"trees and every must be at least 1 and first at least {2 * lags.HELD}, got"
                f" {trees}, {every} and {first}"
            )
        self.settings: dict[str, Any] = {
            "trees": trees, "first": first, "every": every, "seed": seed
        }  # fmt: skip
        self.trees, self.first, self.every, self.seed = trees, first, every, seed
        self.state: dict[str, NDArray[Any]] = {}

    def measure(self, at_s: Floats, y: Floats) -> Floats:
        """The strangeness (n,) of the point that follows."""
        if not self.state or self.state["fitted"][0] == 0:
            return np.full(len(y), np.nan)
        x = self._rows(at_s, y)
        names = ("feature", "threshold", "left", "right", "depth")
        paths = _paths(x, *(self.state[k] for k in names))
        # Mean depth to strangeness: 1 where as soon as half the points of the sample.
        score = 2.0 ** (-paths / _average_path(int(self.state["fitted"][1])))
        return np.asarray(np.maximum(score - 0.3, 0.0) * 10.0, dtype=np.float64)

    def learn(self, at_s: Floats, y: Floats) -> None:
        """The next point y (n,)."""
        if not self.state:
            self.state = (
                lags.empty(len(y))
                | {
                    "rows": np.zeros((_HELD, _FEATURES), dtype=np.float32),
                    "points": np.zeros(2, dtype=np.int64),  # steps, and rows that were offered
                    "fitted": np.zeros(2, dtype=np.int64),  # steps at the last fit, rows of a tree
                }
                | _no_trees(self.trees)
            )
        points = self.state["points"]
        self._sample(self._rows(at_s, y), int(points[0]))
        points[0] += 1
        step, last = int(points[0]), int(self.state["fitted"][0])
        if points[1] >= 32 and step >= self.first and step >= min(2 * last, last + self.every):
            self._fit(step)
        names = ("ring", "came", "season", "profile", "unrest")
        _remember(at_s, y, *(self.state[k] for k in names))

    def _rows(self, at_s: Floats, y: Floats) -> Floats:
        names = ("ring", "came", "season", "profile", "unrest")
        return _described(at_s, y, *(self.state[k] for k in names))

    def _sample(self, x: Floats, step: int) -> None:
        """Offer the rows (n, d) of a point to the random sample of what came."""
        x = x[np.isfinite(x[:, 0])]
        if not len(x):
            return
        rng = np.random.default_rng([self.seed, step])
        x = x[rng.permutation(len(x))[:64]]
        points, rows = self.state["points"], self.state["rows"]
        for row in x:
            seen = int(points[1])
            # Later points replace earlier ones a little oftener than evenly: the past fades.
            at = seen if seen < _HELD else int(rng.integers(min(seen, 4 * _HELD)))
            if at < _HELD:
                rows[at] = row
            points[1] += 1

    def _fit(self, step: int) -> None:
        """Grow the forest anew on the sample."""
        try:
            from sklearn.ensemble import IsolationForest
        except ImportError as error:
            raise ConfigError(
                "detector isolation needs scikit-learn: pip install headway[configure]"
            ) from error
        x = self.state["rows"][: min(int(self.state["points"][1]), _HELD)]
        size = min(256, len(x))
        forest = IsolationForest(
            n_estimators=self.trees, max_samples=size, random_state=self.seed, n_jobs=1
        ).fit(x)
        self.state |= _no_trees(self.trees)
        for i, one in enumerate(forest.estimators_):
            tree, k = one.tree_, one.tree_.node_count
            self.state["feature"][i, :k] = tree.feature
            self.state["threshold"][i, :k] = tree.threshold
            self.state["left"][i, :k], self.state["right"][i, :k] = (
                tree.children_left, tree.children_right,
            )  # fmt: skip
            self.state["depth"][i, :k] = _depths(tree)
        self.state["fitted"] = np.array([step, size], dtype=np.int64)


def _no_trees(trees: int) -> dict[str, NDArray[Any]]:
    shape = (trees, 512)  # 256 rows a tree: at most 511 nodes
    whole = {k: np.full(shape, -1, dtype=np.int16) for k in ("feature", "left", "right")}
    return whole | {k: np.zeros(shape, dtype=np.float32) for k in ("threshold", "depth")}


def _depths(tree: Any) -> Floats:
    """The path length that ends in each node, with what its rows still have on average."""
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):
        for child in (tree.children_left[node], tree.children_right[node]):
            if child >= 0:
                depth[child] = depth[node] + 1.0
    return depth + np.array([_average_path(int(n)) for n in tree.n_node_samples])


def _average_path(n: int) -> float:
    """Mean depth of an unsuccessful search among n rows. Source: Liu et al. (2008), equation 1."""
    if n <= 2:
        return float(n == 2)
    return 2.0 * (math.log(n - 1.0) + 0.5772156649) - 2.0 * (n - 1.0) / n


@njit(cache=True)
def _described(
    at_s: Floats, y: Floats, ring: Floats, came: Any, s: Floats, profile: Any, unrest: Any
) -> Floats:
    """The features (n, d) of a point; NaN where too little is known or nothing came."""
    x = np.full((len(y), _FEATURES), np.nan)
    for i in range(len(y)):
        if not math.isnan(y[i]) and lags.describe(y[i], ring[i], came[i], s[i], x[i]):
            off = y[i] - season.expected(s[i], profile[i], at_s[i])
            x[i, _FEATURES - 1] = lags.drawn(off / season.spread(s[i], unrest[i], at_s[i]))
    return x


@njit(cache=True)
def _remember(
    at_s: Floats, y: Floats, ring: Floats, came: Any, s: Floats, profile: Any, unrest: Any
) -> None:
    for i in range(len(y)):
        if not math.isnan(y[i]):
            lags.remember(y[i], ring, came, i)
            season.learn(s[i], profile[i], unrest[i], at_s[i], y[i])


@njit(cache=True)
def _paths(x: Floats, feature: Any, threshold: Any, left: Any, right: Any, depth: Any) -> Floats:
    """The mean path length (n,) of rows x (n, d) over the trees; NaN where a row is."""
    paths = np.full(len(x), np.nan)
    for i in range(len(x)):
        if math.isnan(x[i, 0]):
            continue
        total = 0.0
        for tree in range(len(feature)):
            node = 0
            while left[tree, node] >= 0:
                is_left = np.float32(x[i, feature[tree, node]]) <= threshold[tree, node]
                node = left[tree, node] if is_left else right[tree, node]
            total += depth[tree, node]
        paths[i] = total / len(feature)
    return paths
