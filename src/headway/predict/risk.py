"""The probability that a task fails or times out, from what is known when it is submitted."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.predict.conformal import LEARN, LEVELS, SERVE
from headway.predict.failure_trees import FailureTrees
from headway.predict.reliability import LEAST, Reliability, beta_quantiles, chance, log_odds
from headway.predict.shares import WIDTH, Shares, finest
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

EXPERTS: Final = ("whole", "recent", "latest", "trees", "trees of shares", "both trees")
"""Who is asked: failure shares of the task's own kind with three memories, then boosted trees."""

_LEARNING: Final = 0.2  # how much of an outcome's likelihood goes into the experts' weights
_SHARED: Final = 0.01  # weight given back to all experts after each outcome
_PAST: Final = 5_000  # served scores that are looked back on
_RENEWED: Final = 100  # outcomes between two looks


class Risk:
    """A Predictor of a task's failure: value = probability, quantiles = how sure that is.

    Experts (`EXPERTS`) are weighed by their own past log loss (Vovk 1990; Herbster, Warmuth 1998,
    fixed share; the small learning rate is ours: outcomes cling together), the mixture is corrected
    by what it was worth (`Reliability`), and mixture and correction are weighed again alike.
    The quantiles are of the failure share among tasks that were given about the same risk; they say
    nothing of what makes one of these differ from the next.

    Outcomes are described as of their submission. For that every task that ends must be learned,
    in order, also one that neither failed nor succeeded (y = NaN); a gap places the others late.
    """

    def __init__(
        self, columns: Sequence[str], *, window: int = 30_000, seed: int = 0, first_fit: int = 50,
        whole: int = 0,
    ) -> None:  # fmt: skip
        """Trees look at the named columns of at most the latest `window` outcomes.

        whole: so many outcomes are known already, see Window.
        """
        self.levels = np.array(LEVELS)
        self._settings = {"window": window, "seed": seed, "first_fit": first_fit, "whole": whole}
        self._columns = tuple(columns)
        asked = [i for i, name in enumerate(columns) if "." not in name]  # the request itself
        few = np.concatenate([np.array(asked, dtype=int), len(columns) + np.arange(WIDTH)])
        self._trees = FailureTrees(len(columns) + WIDTH, few, **self._settings)
        self._shares = Shares()
        self._learned = 0
        self._weights = np.full(len(EXPERTS), 1.0 / len(EXPERTS))
        self._trust = np.array([0.5, 0.5])  # of the mixture and of its correction
        self._past: list[tuple[float, float]] = []  # the mixture's scores and what came
        self._reliability = Reliability(np.zeros(0), np.zeros(0))
        self._version = ""
        self._places: tuple[tuple[str, ...], NDArray[np.intp]] = ((), np.zeros(0, dtype=np.intp))

    def predict(self, x: Features) -> Estimate:
        """The probability of each row; refused before the first outcome."""
        rows = np.arange(len(x), dtype=np.int64)
        return self.follow(x, np.full(len(x), SERVE), rows, np.zeros(len(x)), rows != rows)

    def learn(self, x: Features, y: Floats, censored: NDArray[np.bool_]) -> None:
        """Outcomes y (n,): above 0.5 is a failure; NaN, or censored, is neither."""
        self.follow(x, np.full(len(x), LEARN), np.arange(len(x)), y, censored)

    def follow(
        self,
        x: Features,
        kinds: Integers,
        rows: Integers,
        y: Floats,
        censored: NDArray[np.bool_],
        progress: Callable[[float], None] | None = None,
    ) -> Estimate:
        """Serve and learn rows of x in the order of the events; what was served, by row.

        The same as `predict` and `learn` called for one event at a time.
        """
        if self._version and x.version != self._version:
            message = f"features version must be {self._version!r}, got {x.version!r}: learn anew"
            raise ConfigError(message)
        y = np.where(np.isnan(y) | censored, np.nan, y > 0.5)
        known = np.flatnonzero((kinds == LEARN) & np.isfinite(y[rows]))
        answer, begin, done = _nothing(len(x), self.levels), 0, 0
        while begin < len(kinds):
            done += self._trees.rows_to_refit()
            end = int(known[done - 1]) + 1 if done <= len(known) else len(kinds)
            need, local = np.unique(rows[begin:end], return_inverse=True)
            block = kinds[begin:end]
            part = self._live(x.take(need), block, local, y[need])
            at = rows[begin:end][block == SERVE]
            answer.value[at], answer.quantiles[at] = part.value, part.quantiles
            answer.made_by[at], answer.refused[at] = part.made_by, part.refused
            begin = end
            if progress is not None:
                progress(begin / len(kinds))
        if (kinds == LEARN).any():
            self._version = x.version
        return answer

    def rows_to_refit(self) -> int:
        """How many known outcomes from now the trees change; the shares change with each."""
        return self._trees.rows_to_refit()

    def save(self) -> dict[str, bytes]:
        """Everything it is as text and plain arrays, by file name."""
        words = {
            "columns": self._columns, "settings": self._settings, "learned": self._learned,
            "version": self._version,
        }  # fmt: skip
        stream = io.BytesIO()
        np.savez_compressed(
            stream, weights=self._weights, trust=self._trust,
            past=np.array(self._past).reshape(-1, 2),
        )  # fmt: skip
        files = {"risk.json": json.dumps(words).encode(), "risk.npz": stream.getvalue()}
        return files | self._trees.save() | self._shares.save()

    @classmethod
    def load(cls, files: Mapping[str, bytes]) -> Risk:
        """A Risk as it was saved."""
        words, arrays = json.loads(files["risk.json"]), np.load(io.BytesIO(files["risk.npz"]))
        own = cls(words["columns"], **words["settings"])
        own._trees.restore(files)
        own._shares = Shares.load(files)
        own._learned, own._version = words["learned"], words["version"]
        own._weights, own._trust = arrays["weights"], arrays["trust"]
        own._past = [(score, y) for score, y in arrays["past"].tolist()]
        own._look_back()
        return own

    def _live(self, x: Features, kinds: Integers, rows: Integers, y: Floats) -> Estimate:
        """Events while the trees stay as they are; the answers to what is asked, in order."""
        ended = x.column("all.ended") if "all.ended" in x.names else np.full(len(x), np.inf)
        clocks = np.where(kinds == SERVE, np.inf, ended[rows])
        described = self._described(x, kinds, rows, y, clocks)
        chosen = x.values[:, self._places_in(x.names)][rows]
        whole = np.hstack([chosen, described])
        opinions = _opinions(finest(described), self._trees.predict(whole, clocks))
        asked, n = np.flatnonzero(kinds == SERVE), int(np.sum(kinds == SERVE))
        p, a, b = np.full(n, np.nan), np.ones(n), np.ones(n)
        learned = [i for i in np.flatnonzero(kinds == LEARN).tolist() if np.isfinite(y[rows[i]])]
        begin = 0
        for event in [*learned, len(kinds)]:  # all that is asked between two outcomes at once
            end = int(np.searchsorted(asked, event))
            if end > begin and self._learned:
                now = slice(begin, end)
                score = opinions[asked[now]] @ self._weights
                p[now] = self._both(score) @ self._trust
                a[now], b[now] = self._reliability.beta(score, p[now])
            begin = end
            if event < len(kinds):
                self._take_in(opinions[event], float(y[rows[event]]))
        answer = self._estimate(p, beta_quantiles(a, b, self.levels))
        self._trees.learn(whole[learned], y[rows[learned]], self._shares.clock)
        return answer

    def _places_in(self, names: tuple[str, ...]) -> NDArray[np.intp]:
        """Where the columns that the trees see are among names."""
        if self._places[0] is not names:
            at = {name: i for i, name in enumerate(names)}
            self._places = names, np.array([at[name] for name in self._columns], dtype=np.intp)
        return self._places[1]

    def _described(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, clocks: Floats
    ) -> Floats:
        """What the shares say (events, WIDTH) as of the clocks; what is learned is counted then."""
        keys = self._shares.keys(x)
        found = np.empty((len(kinds), WIDTH))
        events = zip(kinds.tolist(), rows.tolist(), clocks.tolist(), strict=True)
        for event, (kind, row, clock) in enumerate(events):
            found[event] = self._shares.describe(keys, row, clock)
            if kind == LEARN:
                self._shares.count(keys, row, float(y[row]))
        return found

    def _both(self, score: Floats) -> Floats:
        """The mixture's scores (n,) as they are and corrected, (n, 2)."""
        return np.column_stack([score, self._reliability.corrected(score)])

    def _take_in(self, opinions: Floats, y: float) -> None:
        """Weigh the experts by an outcome, look back where that is due."""
        score = float(opinions @ self._weights)
        self._trust = _reweighed(self._trust, self._both(np.array([score]))[0], y)
        self._weights = _reweighed(self._weights, opinions, y)
        self._past.append((score, y))
        self._learned += 1
        if self._learned % _RENEWED == 0:
            self._past = self._past[-_PAST:]
            self._look_back()

    def _look_back(self) -> None:
        """Make the reliability of the remembered scores, up to the last look that was due."""
        count = max(len(self._past) - self._learned % _RENEWED, 0)
        scores, y = np.array(self._past[:count]).reshape(-1, 2).T
        self._reliability = Reliability(scores, y)

    def _estimate(self, p: Floats, quantiles: Floats) -> Estimate:
        """Probabilities (n,) and their quantiles (n, q) as answers; NaN = refused."""
        is_unknown = np.isnan(p)
        return Estimate(
            value=p,
            levels=self.levels,
            quantiles=np.where(is_unknown[:, None], np.nan, quantiles),
            made_by=np.full(len(p), f"risk-{self._trees.fits}"),
            refused=np.where(is_unknown, "no task has failed or succeeded yet", ""),
        )


def _opinions(shares: Floats, trees: Floats) -> Floats:
    """What each expert says (n, experts); before their first fit trees say the mean share."""
    trees = np.where(np.isnan(trees), shares.mean(axis=1, keepdims=True), trees)
    both = chance(log_odds(trees).mean(axis=1, keepdims=True))
    return np.clip(np.hstack([shares, trees, both]), LEAST, 1.0 - LEAST)


def _reweighed(weights: Floats, said: Floats, y: float) -> Floats:
    """Weights after an outcome: by each one's likelihood, then a little shared among all."""
    likely = said if y > 0.5 else 1.0 - said
    weights = weights * np.maximum(likely, LEAST) ** _LEARNING
    return (1.0 - _SHARED) * weights / weights.sum() + _SHARED / len(weights)


def _nothing(n: int, levels: Floats) -> Estimate:
    """No answer for n tasks yet."""
    return Estimate(
        value=np.full(n, np.nan),
        levels=levels,
        quantiles=np.full((n, len(levels)), np.nan),
        made_by=np.full(n, "", "U64"),
        refused=np.full(n, "", "U64"),
    )
