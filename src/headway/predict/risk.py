"""The probability that a task fails or times out, from what is known when it is submitted."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import numpy as np

from headway.errors import ConfigError
from headway.predict.conformal import LEARN, LEVELS, SERVE
from headway.predict.failure_trees import FailureTrees
from headway.predict.reliability import LEAST, beta_quantiles, chance, log_odds, reliability_of
from headway.predict.shares import WIDTH, Shares, finest
from headway.predict.weighing import PAST, RENEWED, look_back, weigh
from headway.records import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from headway.protocols import Features

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

EXPERTS: Final = ("whole", "recent", "latest", "trees", "trees of shares", "both trees")
"""Who is asked: failure shares of the task's own kind with three memories, then boosted trees."""

_EVENTS: Final = 8_192  # looked at together


class Risk:
    """A Predictor of a task's failure: value = probability, quantiles = how sure that is.

    Experts (`EXPERTS`) are weighed by their own past log loss (see `weighing`), the mixture is
    corrected by what it was worth (`Reliability`), and both are weighed again alike.
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
        self._counts = np.zeros(2, dtype=np.int64)  # outcomes learned, and held in the past
        self._weights = np.full(len(EXPERTS), 1.0 / len(EXPERTS))
        self._trust = np.array([0.5, 0.5])  # of the mixture and of its correction
        self._past = np.zeros((PAST + RENEWED, 2))  # the mixture's scores and what came
        self._reliability = reliability_of(np.zeros(0), np.zeros(0))
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
        answer, begin = _nothing(len(x), self.levels), 0
        while begin < len(kinds):
            due = int(np.searchsorted(known, begin)) + self._trees.rows_to_refit()
            end = int(known[due - 1]) + 1 if due <= len(known) else len(kinds)
            end = min(end, begin + _EVENTS)
            self._live(x, kinds[begin:end], rows[begin:end], y[rows[begin:end]], answer)
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
            "columns": self._columns, "settings": self._settings, "version": self._version,
        }  # fmt: skip
        stream = io.BytesIO()
        np.savez_compressed(
            stream, weights=self._weights, trust=self._trust,
            past=self._past[: self._counts[1]], counts=self._counts,
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
        own._weights, own._trust, own._counts = (arrays[k] for k in ("weights", "trust", "counts"))
        own._version = words["version"]
        own._past[: own._counts[1]] = arrays["past"]
        own._reliability = look_back(own._past, own._counts)
        return own

    def _live(
        self, x: Features, kinds: Integers, rows: Integers, y: Floats, answer: Estimate
    ) -> None:
        """Events while the trees stay as they are; what is asked is written into the answer.

        rows (e,) of x, y (e,) their outcomes.
        """
        asked = kinds == SERVE
        clocks = np.full(len(rows), np.inf)
        if "all.ended" in x.names:
            clocks[~asked] = x.column("all.ended")[rows[~asked]]
        described = self._shares.follow(x, kinds, rows, clocks, y)
        whole = np.empty((len(rows), len(self._columns) + WIDTH))
        whole[:, :-WIDTH] = x.values[rows[:, None], self._places_in(x.names)]
        whole[:, -WIDTH:] = described
        opinions = _opinions(finest(described), self._trees.predict(whole, clocks))
        said = np.full((len(rows), 3), np.nan)
        self._reliability = weigh(
            kinds, y, opinions, self._weights, self._trust, self._past, self._counts,
            self._reliability, said,
        )  # fmt: skip
        if asked.any():
            self._write(rows[asked], said[asked], answer)
        learned = ~asked & np.isfinite(y)
        self._trees.learn(whole[learned], y[learned], self._shares.clock)

    def _places_in(self, names: tuple[str, ...]) -> NDArray[np.intp]:
        """Where the columns that the trees see are among names."""
        if self._places[0] is not names:
            at = {name: i for i, name in enumerate(names)}
            self._places = names, np.array([at[name] for name in self._columns], dtype=np.intp)
        return self._places[1]

    def _write(self, at: Integers, said: Floats, answer: Estimate) -> None:
        """Put what was said, (n, 3), into these rows of the answer; NaN = refused."""
        p, a, b = said.T
        unknown = np.isnan(p)
        answer.value[at] = p
        answer.quantiles[at] = beta_quantiles(a, b, self.levels)
        answer.made_by[at] = f"risk-{self._trees.fits}"
        answer.refused[at] = np.where(unknown, "no task has failed or succeeded yet", "")


def _opinions(shares: Floats, trees: Floats) -> Floats:
    """What each expert says (n, experts); before their first fit trees say the mean share."""
    trees = np.where(np.isnan(trees), shares.mean(axis=1, keepdims=True), trees)
    both = chance(log_odds(trees).mean(axis=1, keepdims=True))
    return np.clip(np.hstack([shares, trees, both]), LEAST, 1.0 - LEAST)


def _nothing(n: int, levels: Floats) -> Estimate:
    """No answer for n tasks yet."""
    return Estimate(
        value=np.full(n, np.nan),
        levels=levels,
        quantiles=np.full((n, len(levels)), np.nan),
        made_by=np.full(n, "", "U64"),
        refused=np.full(n, "", "U64"),
    )
