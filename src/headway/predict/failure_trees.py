"""Two classifiers of failure from gradient-boosted trees, refitted as outcomes come.

Source: Friedman (2001), gradient boosting; Geurts et al. (2006), extremely randomised splits;
LightGBM.
"""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.predict.forest import Forest
from headway.predict.window import next_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_GROWTH, _EVERY = 0.3, 3_000  # refit after this many more outcomes
_ROUNDS: Final = 60
_VERSIONS: Final = 12  # fits that are kept, to tell what would have been said earlier
_LEAF: Final = 20  # outcomes in a leaf, fewer in a short history
_SETTINGS: Final[dict[str, Any]] = {
    "objective": "binary", "learning_rate": 0.08, "num_leaves": 15, "max_bin": 63,
    "feature_fraction": 0.5, "bagging_fraction": 0.5, "bagging_freq": 1, "extra_trees": True,
    "lambda_l2": 1.0, "num_threads": 1, "deterministic": True, "force_col_wise": True,
    "verbosity": -1,
}  # fmt: skip


class FailureTrees:
    """A model of all columns and one of the chosen few, over the latest `window` outcomes.

    Tasks that come together fail together: a model that has seen some of them knows the rest. What
    a task is learned with is therefore held against the models there were when it was submitted.
    """

    def __init__(
        self, columns: int, few: NDArray[np.intp], *, window: int, seed: int, first_fit: int,
        whole: int = 0,
    ) -> None:  # fmt: skip
        """few: the columns, of so many, that the second model sees; whole: see Window."""
        self.fits = 0
        self._few, self._window, self._seed = few, window, seed
        self._x, self._y = np.zeros((0, columns)), np.zeros(0)
        self._waiting: list[tuple[Floats, Floats]] = []
        self._held = 0  # outcomes that wait
        self._learned, self._next_fit = 0, first_fit
        self._whole = whole
        self._versions: list[tuple[float, list[str], list[Forest]]] = []  # clock, both models
        self._places = (np.arange(columns, dtype=np.uint32), few.astype(np.uint32))

    def predict(self, x: Floats, clocks: Floats) -> Floats:
        """Probabilities (n, 2) of both models for x (n, columns) as of clocks (n,), inf = now.

        NaN where nothing had been fitted by then.
        """
        found = np.full((len(x), 2), np.nan)
        if not self._versions:
            return found
        version = np.searchsorted([clock for clock, _, _ in self._versions], clocks, side="right")
        if self.fits > len(self._versions):  # the first ones were forgotten
            version = np.maximum(version, 1)
        for number in np.unique(version[version > 0]):
            rows = version == number
            asked = zip(self._versions[number - 1][2], self._places, strict=True)
            odds = np.column_stack([forest.predict(x[rows], at) for forest, at in asked])
            found[rows] = 1.0 / (1.0 + np.exp(-odds))
        return found

    def learn(self, x: Floats, y: Floats, clock: int) -> None:
        """Keep outcomes (n,) of 0 and 1, at most up to the next refit; refit if it is reached.

        clock: how many tasks have ended by now.
        """
        assert len(y) <= self.rows_to_refit()
        if not len(y):
            return
        self._waiting.append((x, y))
        self._learned += len(y)
        self._held += len(y)
        if self._held > self._window:
            self._gather()
        if self._learned == self._next_fit:
            self._fit(clock)

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next refit comes."""
        return self._next_fit - self._learned

    def save(self) -> dict[str, bytes]:
        """Models as LightGBM text and the window of outcomes, by file name."""
        self._gather()
        words = {
            "learned": self._learned, "next_fit": self._next_fit, "fits": self.fits,
            "clocks": [clock for clock, _, _ in self._versions],
        }  # fmt: skip
        stream = io.BytesIO()
        np.savez_compressed(stream, x=self._x, y=self._y)
        files = {"failure-trees.json": json.dumps(words).encode()}
        files["failure-trees.npz"] = stream.getvalue()
        for number, (_, texts, _) in enumerate(self._versions):
            for i, text in enumerate(texts):
                files[f"failure-trees-{number}-{i}.txt"] = text.encode()
        return files

    def restore(self, files: Mapping[str, bytes]) -> None:
        """Take over what `save` gave of trees with the same settings."""
        words = json.loads(files["failure-trees.json"])
        self._learned, self._next_fit = words["learned"], words["next_fit"]
        self.fits = words["fits"]
        arrays = np.load(io.BytesIO(files["failure-trees.npz"]))
        self._x, self._y = arrays["x"], arrays["y"]
        for number, clock in enumerate(words["clocks"]):
            texts = [files[f"failure-trees-{number}-{i}.txt"].decode() for i in range(2)]
            self._versions.append((clock, texts, [Forest([text]) for text in texts]))

    def _gather(self) -> None:
        """Join what came since the last fit to the window of outcomes."""
        parts = [(self._x, self._y), *self._waiting]
        self._waiting, self._held = [], 0
        self._x, self._y = (
            np.concatenate(column)[-self._window :] for column in zip(*parts, strict=True)
        )

    def _fit(self, clock: int) -> None:
        """Fit both models anew on the latest outcomes."""
        import lightgbm

        self._gather()
        grown = max(20, int(_GROWTH * self._learned))
        self._next_fit = next_fit(self._learned, grown, _EVERY, self._whole)
        if self._y.min() == self._y.max():  # nothing to tell apart yet
            return
        least = min(_LEAF, max(5, len(self._y) // 20))
        settings = _SETTINGS | {"seed": self._seed, "min_data_in_leaf": least}
        binned = {"max_bin": _SETTINGS["max_bin"], "verbosity": -1, "num_threads": 1}

        def fitted(x: Floats) -> str:
            data = lightgbm.Dataset(x, self._y, params=binned)
            return str(lightgbm.train(settings, data, _ROUNDS).model_to_string())

        with ThreadPoolExecutor(2) as threads:
            texts = list(threads.map(fitted, (self._x, self._x[:, self._few])))
        version = (float(clock), texts, [Forest([text]) for text in texts])
        self._versions = [*self._versions, version][-_VERSIONS:]
        self.fits += 1
