"""Quantiles of a target from a network for tables, warm-started at each refit.

Numbers are turned into their place among the quantiles of the window (Gorishniy, Rubachev, Babenko
(2022), piecewise-linear encoding, here summed into one number a column), key codes are hashed into
embeddings. Source of the network: see tabm.py.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from headway.predict.boosted import LEVELS
from headway.predict.tabm import Shape, outputs, start, train
from headway.predict.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features
    from headway.records import Estimate

    Floats = NDArray[np.float64]

_BINS: Final = 32
_RATES: Final = (4e-3, 2e-3)  # of the first fit and of later ones
_BATCH: Final = 4096  # rows asked at once


class Neural:
    """TabM quantiles of the ratio of log(1 + target) to its nearest history.

    A fit takes a fixed number of steps, not of seconds, so that it repeats; the steps are the box
    of time: at 300 columns 100 take about a second. A lower bound (censored) counts only for the
    levels whose last fit lies below it, and for all in the first fit. Trained in single precision,
    asked in double: there the company of other rows does not change an answer.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        keys: Sequence[str] = (),
        anchors: Sequence[str] = (),
        cap: str = "",
        levels: Sequence[float] = LEVELS,
        window: int = 20_000,
        steps: tuple[int, int] = (150, 60),
        seed: int = 0,
        first_fit: int = 200,
    ) -> None:
        """Look at the named columns; keys: those of them that are codes of a key.

        steps: of the first fit, which starts from nothing, and of each later one; the others
        see Boosted.
        """
        self.levels = np.array(levels, dtype=np.float64)
        self._keys, self._cap, self._steps, self._seed = tuple(keys), cap, tuple(steps), seed
        self._window = Window(columns, anchors, size=window, first_fit=first_fit)
        self._weights: dict[str, Any] = {}
        self._fixed: dict[str, Any] = {}  # edges (d, b + 1) of the columns, scale of the target

    def predict(self, x: Features) -> Estimate:
        """The fitted levels for each row; refused before the first fit."""
        return self._window.answer(x, "neural", self.levels, self._cap, self._logs)

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Keep outcomes and refit where the schedule says so."""
        self._window.learn(x, y, censored, self._fit)

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next refit comes."""
        return self._window.rows_to_refit()

    def save(self) -> dict[str, bytes]:
        """Weights as safetensors, settings and the window of outcomes, by file name."""
        words = {
            "keys": self._keys, "cap": self._cap, "levels": self.levels.tolist(),
            "steps": self._steps, "seed": self._seed,
        }  # fmt: skip
        files = {"neural.json": json.dumps(words).encode(), "neural.npz": self._window.save()}
        if self._weights:
            from safetensors.torch import save

            files["neural.safetensors"] = save(self._weights | self._fixed)
        return files

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Neural:
        """A Neural as it was saved."""
        neural = cls((), **json.loads(files["neural.json"]))
        neural._window = Window.load(files["neural.npz"])
        if "neural.safetensors" in files:
            from safetensors.torch import load

            weights = load(files["neural.safetensors"])
            neural._fixed = {name: weights.pop(name) for name in ("edges", "scale")}
            neural._weights = weights
        return neural

    def _split(self, rows: Floats) -> tuple[Floats, Floats]:
        """The columns that are numbers (n, d) and those that are codes (n, c)."""
        is_key = np.isin(self._window.columns, self._keys)
        return rows[:, ~is_key], rows[:, is_key]

    def _encoded(self, rows: Floats, anchored: Floats) -> tuple[Any, Any]:
        """What the network reads: places in [-1, 1] (n, d), 0 = not known, and codes (n, c)."""
        import torch

        numbers, codes = self._split(rows)
        edges = self._fixed["edges"]
        x = torch.from_numpy(np.column_stack([numbers, anchored])).T.contiguous()
        right = torch.searchsorted(edges, x).clamp(1, edges.shape[1] - 1)
        low, high = edges.gather(1, right - 1), edges.gather(1, right)
        share = ((x - low) / (high - low).clamp_min(1e-9)).clamp(0.0, 1.0)
        place = 2.0 * (right - 1 + share) / (edges.shape[1] - 1) - 1.0
        place = torch.where(torch.isnan(x), 0.0, place).T
        return place, torch.from_numpy(np.nan_to_num(codes, nan=-1.0)).to(torch.int64)

    def _logs(self, rows: Floats, anchored: Floats) -> Floats:
        """The levels of the log target, (n, q): the mean of the members."""
        import torch

        parts = []
        scale = float(self._fixed["scale"])
        with torch.inference_mode(), one_thread():
            for begin in range(0, len(rows), _BATCH):
                part = slice(begin, begin + _BATCH)
                said = outputs(self._weights, *self._encoded(rows[part], anchored[part])).mean(1)
                parts.append(said.numpy() * scale + anchored[part, None])
        return np.concatenate(parts)

    def _fit(self) -> None:
        """Train on from the last weights on the latest outcomes."""
        import torch

        window = self._window
        anchored, counts = window.anchored, self._counts()
        ratio = window.log_y - anchored
        is_first = not self._weights
        numbers, codes = self._split(window.x)
        if is_first:
            shape = Shape(numbers.shape[1] + 1, codes.shape[1], len(self.levels))
            self._weights = start(shape, self._seed)
            self._fixed["scale"] = torch.tensor(max(float(np.std(ratio)), 0.1))
        self._fixed["edges"] = _edges(np.column_stack([numbers, anchored]))
        with one_thread():
            places, hashed = self._encoded(window.x, anchored)
            trained = train(
                {name: w.float() for name, w in self._weights.items()},
                places.float(),
                hashed,
                torch.from_numpy(ratio / float(self._fixed["scale"])).float(),
                torch.from_numpy(counts).float(),
                torch.from_numpy(self.levels).float(),
                steps=self._steps[0 if is_first else 1],
                rate=_RATES[0 if is_first else 1],
                seed=self._seed + window.fits,
            )
        self._weights = {name: w.double() for name, w in trained.items()}

    def _counts(self) -> Floats:
        """1, or 0 where a lower bound says nothing of a level, (m, q)."""
        window = self._window
        counts = np.ones((len(window.x), len(self.levels)))
        at = np.flatnonzero(window.censored)
        if self._weights and len(at):
            fitted = self._logs(window.x[at], window.anchored[at])
            counts[at] = fitted < window.log_y[at, None]
        return counts


def _edges(numbers: Floats) -> Any:
    """Edges (d, b + 1) of as many tasks each; a column that is never known has none but 0."""
    import torch

    columns = []
    for column in numbers.T:
        known = column[np.isfinite(column)]
        columns.append(
            np.quantile(known, np.linspace(0.0, 1.0, _BINS + 1))
            if len(known)
            else np.zeros(_BINS + 1)
        )
    return torch.from_numpy(np.array(columns))


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work in one thread, as long as this lasts."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
