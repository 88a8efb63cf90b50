"""Runtime or peak memory of a task from the recent tasks of its name and the size of its input.

Made for few samples: for each name three laws are held against each other, a constant, an affine
and a power law of the input's size, by how well each foretells every recent task from all others.
Quantiles are those of these left-out errors (on the log scale), with an exponential tail beyond the
largest. No source: own composition of leave-one-out residuals (Quenouille 1956; the jackknife+ of
Barber, Candes, Ramdas, Tibshirani 2021 without its final step) with a tail; measured in the tests
and by the demo.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.predict.window import Window
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
SPREAD_UNKNOWN = 0.5
"""Log spread believed of a name seen once, and of all names together."""
SPREAD_LEAST = 0.03
"""Log spread below which no law is trusted; the same task never runs twice alike."""
STRETCH = 0.25
"""How many log units an upper quantile moves for each by which an input exceeds all seen."""
FAR = 1e300
"""Larger than any input: a law of all names together stretches for none."""


@dataclass(frozen=True, slots=True)
class _Law:
    """y(size), and how wrong it was on each recent task when that one was left out."""

    kind: str  # constant | affine | power
    a: float
    b: float
    errors: Floats  # sorted log(y / foretold)
    largest: float  # size seen

    def at(self, size: Floats) -> Floats:
        """What is foretold (n,) for sizes (n,)."""
        if self.kind == "affine":
            return self.a + self.b * size
        if self.kind == "power":
            return np.exp(self.a + self.b * np.log(np.maximum(size, 1.0)))
        return np.full(len(size), np.exp(self.a))

    def quantiles(self, size: Floats, spread: Floats, stretch: Floats) -> Floats:
        """Quantiles (n, q) at log distances (q,) from the law; stretch (q,): see STRETCH."""
        beyond = np.log(np.maximum(size, max(self.largest, 1.0)) / max(self.largest, 1.0))
        logs = spread[None, :] + beyond[:, None] * stretch[None, :]
        return np.maximum.accumulate(self.at(size)[:, None] * np.exp(logs), axis=1)


class Online:
    """A Predictor that is up to date after every outcome; needs columns `name` and `input_bytes`.

    An unknown size is taken to be as large as any seen: too much memory is better than too little.
    levels: of the quantiles. window: how many recent tasks of a name count. every: outcomes are
    taken in blocks of so many, so that a long history can be followed quickly.
    """

    def __init__(
        self, levels: Sequence[float] = LEVELS, window: int = 200, *, every: int = 1
    ) -> None:
        self.levels, self._most = np.array(levels, dtype=np.float64), window
        self._seen: dict[float, deque[tuple[float, float]]] = {}  # name -> (size, y)
        self._all: deque[float] = deque(maxlen=window)  # log y of any name
        self._laws: dict[float, _Law] = {}
        self._spreads: dict[float, Floats] = {}  # of each law, as long as it holds
        self._of_all: _Law | None = None
        self._stretch = np.where(self.levels > 0.5, STRETCH, 0.0)
        self._counts: dict[float, int] = {}
        self._new = Window(
            ("name", "input_bytes"), size=every, first_fit=every, every=every, is_steady=True
        )

    def predict(self, x: Features) -> Estimate:
        """Answer n rows; refused where nothing at all was seen."""
        n, levels = len(x), self.levels
        value, quantiles = np.full(n, np.nan), np.full((n, len(levels)), np.nan)
        made_by, refused = np.full(n, "online-1/name"), np.full(n, "", dtype="<U40")
        names, sizes = x.column("name"), x.column("input_bytes")
        for name in np.unique(names) if n > 1 else names:
            rows = np.flatnonzero((names == name) | (np.isnan(name) & np.isnan(names)))
            law, spread = self._laws.get(name), self._spreads.get(name)
            if law is None and self._of_all is not None:
                law, spread = self._of_all, _spread(self._of_all.errors, levels)
                made_by[rows] = "online-1/all"
            if law is None or spread is None:
                refused[rows] = "no task has ended yet"
                continue
            size = np.where(np.isnan(sizes[rows]), law.largest, sizes[rows])
            value[rows], quantiles[rows] = law.at(size), law.quantiles(size, spread, self._stretch)
        return Estimate(
            value=value, levels=levels, quantiles=quantiles, made_by=made_by, refused=refused
        )

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Outcomes in order of time; a censored one counts where it exceeds what was believed."""
        self._new.learn(x, y, censored, self._take)

    def rows_to_refit(self) -> int:
        """How many outcomes from now the next block is taken."""
        return self._new.rows_to_refit()

    def save(self) -> dict[str, bytes]:
        """The recent tasks and the law of each name as JSON, the outcomes that wait as arrays."""
        words = {
            "levels": self.levels.tolist(), "most": self._most, "all": list(self._all),
            "names": [
                (name, self._counts[name], list(seen)) for name, seen in self._seen.items()
            ],
            "laws": [
                (name, asdict(law) | {"errors": law.errors.tolist()})
                for name, law in self._laws.items()
            ],
        }  # fmt: skip
        return {"online.json": json.dumps(words).encode(), "online.npz": self._new.save()}

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Online:
        """An Online as it was saved."""
        words: dict[str, Any] = json.loads(files["online.json"])
        online = cls(words["levels"], words["most"])
        online._new = Window.load(files["online.npz"])
        online._all.extend(words["all"])
        for name, count, seen in words["names"]:
            pairs = (tuple(pair) for pair in seen)
            online._seen[name] = deque(pairs, maxlen=words["most"])
            online._counts[name] = count
        for name, law in words["laws"]:
            online._laws[name] = _Law(**law | {"errors": np.array(law["errors"])})
            online._spreads[name] = _spread(online._laws[name].errors, online.levels)
        online._of_all = _constant(np.array(online._all))
        return online

    def _take(self) -> None:
        """Take the outcomes of a full block one by one."""
        new = self._new
        rows = zip(new.x.tolist(), np.expm1(new.log_y).tolist(), new.censored, strict=True)
        for (name, size), outcome, is_bound in rows:
            known = self._laws.get(name)
            size = float(np.nan_to_num(size))
            if not outcome > 0.0:  # not known
                continue
            if is_bound and known and outcome <= known.at(np.array([size]))[0]:
                continue  # nothing new
            seen = self._seen.setdefault(name, deque(maxlen=self._most))
            seen.append((size, outcome))
            self._all.append(float(np.log(outcome)))
            count = self._counts[name] = self._counts.get(name, 0) + 1
            if is_refit_due(count) and (law := _law(seen)) is not None:
                self._laws[name], self._spreads[name] = law, _spread(law.errors, self.levels)
        self._of_all = _constant(np.array(self._all))


def is_refit_due(count: int) -> bool:
    """Whether the law of a name is fitted anew at its count-th outcome: each of 16, then every 8th.

    >>> [count for count in range(10, 40) if is_refit_due(count)]
    [10, 11, 12, 13, 14, 15, 16, 24, 32]
    """
    return count <= 16 or count % 8 == 0


def _law(seen: deque[tuple[float, float]]) -> _Law | None:
    """The law that best foretells each from all others; a simpler one wins unless clearly worse."""
    table = np.array(seen)
    size, y = table[:, 0], table[:, 1]
    laws = [_constant(np.log(y), float(size.max()))]
    if len(y) >= 4 and size.min() > 0 and size.max() > 1.2 * size.min():
        laws += [_affine(size, y), _power(size, y)]
    found = [law for law in laws if law is not None]
    if len(found) < 2:
        return found[0] if found else None
    handicap = {"constant": 1.0, "affine": 1.1, "power": 1.15}
    return min(found, key=lambda w: handicap[w.kind] * (float(np.mean(np.abs(w.errors))) + 1e-3))


def _constant(log_y: Floats, largest: float = FAR) -> _Law | None:
    n = len(log_y)
    if n == 0:
        return None
    mean = float(np.mean(log_y))
    errors = (log_y - mean) * n / (n - 1) if n > 1 else np.zeros(0)
    return _Law("constant", mean, 0.0, np.sort(errors), largest)


def _affine(size: Floats, y: Floats) -> _Law | None:
    """Fit y = a + b size by least squares of relative errors; None unless it rises from a >= 0."""
    fit = _least_squares(np.column_stack([1.0 / y, size / y]), np.ones(len(y)))
    if fit is None or fit[0][0] < 0.0 or fit[0][1] <= 0.0:
        return None
    (a, b), left_out = fit
    foretold = 1.0 - left_out  # as a share of y
    if np.any(foretold <= 0.0):
        return None
    return _Law("affine", a, b, np.sort(-np.log(foretold)), float(size.max()))


def _power(size: Floats, y: Floats) -> _Law | None:
    fit = _least_squares(np.column_stack([np.ones(len(y)), np.log(size)]), np.log(y))
    if fit is None or fit[0][1] <= 0.0:
        return None
    (a, b), left_out = fit
    return _Law("power", a, b, np.sort(left_out), float(size.max()))


def _least_squares(a: Floats, b: Floats) -> tuple[tuple[float, float], Floats] | None:
    """Two coefficients and each row's error when fitted without it, e / (1 - h)."""
    scale = np.linalg.norm(a, axis=0)
    q, r = np.linalg.qr(a / scale)
    if abs(r[1, 1]) < 1e-6:
        return None
    solution = np.linalg.solve(r, q.T @ b) / scale
    leverage = np.sum(q * q, axis=1)
    left_out = (b - a @ solution) / np.maximum(1.0 - leverage, 1e-3)
    return (float(solution[0]), float(solution[1])), left_out


def _spread(errors: Floats, levels: Floats) -> Floats:
    """Log distance of each quantile from the law, from its sorted left-out errors.

    The quantile p of n errors is the one of rank (n + 1) p, which for p > n / (n + 1) is beyond
    them all: there the tail is taken as exponential with their mean absolute value as its scale.
    """
    n = len(errors)
    if n < 2:
        return SPREAD_UNKNOWN * np.log(levels / (1.0 - levels)) / 2.0
    scale = max(float(np.mean(np.abs(errors))), SPREAD_LEAST)
    ranks = (n + 1) * levels
    inside = np.interp(ranks, np.arange(1, n + 1), errors)
    above = scale * np.log(np.maximum((1.0 / (n + 1)) / (1.0 - levels), 1.0))
    below = scale * np.log(np.maximum((1.0 / (n + 1)) / levels, 1.0))
    least = SPREAD_LEAST * np.log(levels / (1.0 - levels)) / 2.0
    spread = inside + above - below
    return np.where(levels > 0.5, np.maximum(spread, least), spread)
